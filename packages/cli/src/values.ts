import { OPTIMISATIONS, type Optimisations } from '@uvmkit/machine';
import { InvalidArgumentError } from 'commander';

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };
/** The least and the most memory that a machine may be given, bytes. */
const LEAST_MEMORY = 2 ** 20;
const MOST_MEMORY = 2 ** 32 - 2 ** 16;

/** A size of memory such as `64M`, in bytes: a multiple of 64 KB, so that it is one of every page size. */
export function memorySize(text: string): number {
  const match = /^(\d{1,10})([KMG]?)B?$/i.exec(text);
  const bytes = match === null ? NaN : Number(match[1]) * UNITS[match[2]!.toUpperCase()]!;
  if (!(bytes >= LEAST_MEMORY && bytes <= MOST_MEMORY && bytes % 65_536 === 0))
    throw new InvalidArgumentError(
      'Expected a size from 1M to below 4G such as 64M, a multiple of 64K.',
    );
  return bytes;
}

/** A probability: 0, 1 or a decimal between them. */
export function probability(text: string): number {
  const value = /^(\d{1,3}(\.\d{1,15})?|\.\d{1,15})$/.test(text) ? Number(text) : NaN;
  if (!(value <= 1))
    throw new InvalidArgumentError('Expected a probability from 0 to 1 such as 0.1.');
  return value;
}

/** A whole number from 0 to `most`. */
export function wholeNumber(most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (!(value <= most))
      throw new InvalidArgumentError(`Expected a whole number from 0 to ${most}.`);
    return value;
  };
}

/** The smallest part of its working set that a recording may be given. */
const MOST_PRESSURE = 64;

/** What memory is divided by: whole numbers such as `2,4,8`, once each. */
export function divisors(text: string): readonly number[] {
  const values = text.split(',').map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : NaN));
  if (
    !values.every((value) => value >= 1 && value <= MOST_PRESSURE) ||
    new Set(values).size !== values.length
  )
    throw new InvalidArgumentError(
      `Expected whole numbers from 1 to ${MOST_PRESSURE}, each once, such as 2,4,8.`,
    );
  return values;
}

/** What `--without` calls the optimisations: `fault-ahead` for `faultAhead`. */
export function optimisationNames(): readonly string[] {
  return OPTIMISATIONS.map((name) =>
    name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
  );
}

/** Optimisations to do without: names with commas between, each once, or `all`. */
export function optimisationsOff(text: string): Optimisations {
  const names = optimisationNames();
  const wanted = text === 'all' ? names : text.split(',');
  if (!wanted.every((name) => names.includes(name)) || new Set(wanted).size !== wanted.length)
    throw new InvalidArgumentError(`Expected all, or some of ${names.join(',')}, each once.`);
  return Object.fromEntries(
    OPTIMISATIONS.filter((_, i) => wanted.includes(names[i]!)).map((name) => [name, false]),
  );
}
