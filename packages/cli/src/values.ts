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

/** A whole number from 0 to `most`. */
export function wholeNumber(most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (!(value <= most))
      throw new InvalidArgumentError(`Expected a whole number from 0 to ${most}.`);
    return value;
  };
}
