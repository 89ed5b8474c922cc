/**
 * A recording that cannot be read: which file and line, what was expected there and what was found.
 * It is the one error that this package throws for bad input; a program's `main` prints `message`
 * and ends.
 */
export class TraceError extends Error {
  override readonly name: string = 'TraceError';
  readonly file: string;
  /** Counted from 1; 0 if the file as a whole is meant. */
  readonly line: number;
  readonly expected: string;
  readonly found: string;

  constructor(file: string, line: number, expected: string, found: string) {
    super(`${file}${line > 0 ? `:${line}` : ''}: expected ${expected}, found ${found}`);
    this.file = file;
    this.line = line;
    this.expected = expected;
    this.found = found;
  }
}

/** Where a reader is: kept up to date by it, so that whoever handles a record can name the line. */
export class TracePlace {
  readonly file: string;
  line = 0;

  constructor(file: string) {
    this.file = file;
  }

  /** The error for the current line. */
  error(expected: string, found: string): TraceError {
    return new TraceError(this.file, this.line, expected, found);
  }
}

/** The longest piece of input that a message quotes. */
const QUOTED = 72;

/** Input as a message may show it: quoted, printable and short. */
export function quote(text: string): string {
  const short = text.length > QUOTED ? `${text.slice(0, QUOTED)}…` : text;
  return JSON.stringify(short).replaceAll(
    /[\u007f-\u009f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}
