/** A line that cannot be executed: the message says what was wanted and what was given. */
export class DdbError extends Error {
  override readonly name: string = 'DdbError';
}

/** What follows the name of a command, taken word by word; whatever is not as wanted is a {@link DdbError}. */
export class Arguments {
  /** The command's name, for messages. */
  readonly command: string;
  /** What was written behind slashes. */
  readonly modifiers: string;
  readonly #words: readonly string[];
  #at = 0;

  constructor(command: string, modifiers: string, words: readonly string[]) {
    this.command = command;
    this.modifiers = modifiers;
    this.#words = words;
  }

  /** Words that are left. */
  get left(): number {
    return this.#words.length - this.#at;
  }

  /** The next word. */
  word(wanted: string): string {
    const word = this.#words[this.#at];
    if (word === undefined) throw this.error(wanted, 'nothing');
    this.#at++;
    return word;
  }

  /** The next word as a number: decimal, or hexadecimal after 0x. */
  number(wanted: string): number {
    const word = this.word(wanted);
    return numberOf(word) ?? this.fail(wanted, word);
  }

  /** The next word as a count from 1 to `most`; `otherwise` if no word is left. */
  count(wanted: string, most: number, otherwise: number): number {
    if (this.left === 0) return otherwise;
    const range = `${wanted} from 1 to ${most}`;
    const word = this.word(range);
    const count = numberOf(word) ?? NaN;
    return count >= 1 && count <= most ? count : this.fail(range, word);
  }

  /** All the words that are left, with a blank between them. */
  rest(): string {
    const rest = this.#words.slice(this.#at).join(' ');
    this.#at = this.#words.length;
    return rest;
  }

  /** There must be nothing more. */
  end(): void {
    if (this.left > 0) throw this.error('nothing more', this.rest());
  }

  error(wanted: string, found: string): DdbError {
    return new DdbError(`${this.command}: expected ${wanted}, found ${quoted(found)}`);
  }

  /** Throws {@link error}. */
  fail(wanted: string, found: string): never {
    throw this.error(wanted, found);
  }
}

/** A word as the user wrote it; `nothing` stands for itself. */
export function quoted(found: string): string {
  return found === 'nothing' ? found : `"${found}"`;
}

/**
 * A number as commands print and read it: decimal, or hexadecimal after `0x`. What exceeds a safe integer is taken for
 * a 64-bit address in two's complement, as `hex` prints those of alpha's kernel. Null if it is none.
 */
export function numberOf(text: string): number | null {
  if (/^-?\d{1,16}$/.test(text)) return safe(Number(text));
  if (!/^0x[0-9a-f]{1,16}$/i.test(text)) return null;
  return safe(Number(text)) ?? safe(Number(BigInt.asIntN(64, BigInt(text))));
}

function safe(value: number): number | null {
  return Number.isSafeInteger(value) ? value : null;
}

/** The words with commas between them and `or` before the last. */
export function anyOf(words: readonly string[]): string {
  return words.length < 2
    ? words.join('')
    : `${words.slice(0, -1).join(', ')} or ${words[words.length - 1]!}`;
}

/** Numbers that exist, for a message: all of them, or of many the first and the last. */
export function numbersText(numbers: readonly number[]): string {
  if (numbers.length === 0) return 'there is none';
  if (numbers.length <= 8) return numbers.join(', ');
  return `${numbers.slice(0, 6).join(', ')}, … ${numbers[numbers.length - 1]!}`;
}
