/** How memory is shown: x d u o c s m of ddb(4). */
export type Form = 'x' | 'd' | 'u' | 'o' | 'c' | 's' | 'm';

/** What a command was told behind its slash. */
export interface Format {
  readonly form: Form;
  /** Bytes of a unit: 1 (b), 2 (h), 4 (l) or 8 (q). */
  readonly size: number;
  /** Units, if the slash says. */
  readonly count: number | null;
}

const SIZES: ReadonlyMap<string, number> = new Map([
  ['b', 1],
  ['h', 2],
  ['l', 4],
  ['q', 8],
]);
const FORMS: ReadonlySet<string> = new Set<Form>(['x', 'd', 'u', 'o', 'c', 's', 'm']);

/** Longest text that `s` looks for the end of, bytes; bytes on a line of the other forms. */
export const LONGEST = 1024;
export const LINE = 16;

export const FORMAT_WANTED =
  'a format: a count, b h l or q for 1, 2, 4 or 8 bytes, and one of x d u o c s m';

/** Reads such as `4xh`; null if it is no format. */
export function formatOf(text: string): Format | null {
  const match = /^(\d{0,4})([a-z]{0,2})$/.exec(text);
  if (match === null) return null;
  const [, count = '', letters = ''] = match;
  let form: Form | null = null;
  let size: number | null = null;
  for (const letter of letters) {
    const bytes = SIZES.get(letter);
    if (bytes !== undefined && size === null) size = bytes;
    else if (isForm(letter) && form === null) form = letter;
    else return null;
  }
  form ??= 'x';
  if (form === 'c' || form === 's' || form === 'm') size = 1;
  return { form, size: size ?? 4, count: count === '' ? null : Number(count) };
}

function isForm(letter: string): letter is Form {
  return FORMS.has(letter);
}

/** Units as text, in the byte order given; a rest that is no whole unit is left out. */
export function unitTexts(
  bytes: Uint8Array,
  { form, size }: Format,
  littleEndian: boolean,
): string[] {
  const texts: string[] = [];
  for (let at = 0; at + size <= bytes.length; at += size) {
    const unit = bytes.slice(at, at + size);
    if (littleEndian) unit.reverse();
    texts.push(unitText(unit, form));
  }
  return texts;
}

/** One unit, its highest byte first. */
function unitText(unit: Uint8Array, form: Form): string {
  switch (form) {
    case 'd':
      return unit[0]! < 0x80 ? digits(unit, 10) : `-${digits(negated(unit), 10)}`;
    case 'u':
      return digits(unit, 10);
    case 'o':
      return `0o${digits(unit, 8)}`;
    case 'c':
    case 's':
    case 'm':
      return printable(unit);
    case 'x':
      return `0x${hexBytes(unit).join('')}`;
  }
}

/** An unsigned number of any length by repeated division: 64 bits are more than a number holds. */
function digits(unit: Uint8Array, base: number): string {
  const left = unit.slice();
  let text = '';
  do {
    let rest = 0;
    left.forEach((byte, at) => {
      const value = rest * 256 + byte;
      left[at] = Math.floor(value / base);
      rest = value % base;
    });
    text = rest + text;
  } while (left.some((byte) => byte !== 0));
  return text;
}

/** The two's complement. */
function negated(unit: Uint8Array): Uint8Array {
  const result = unit.map((byte) => ~byte);
  for (let at = result.length - 1; at >= 0; at--) {
    result[at]!++;
    if (result[at] !== 0) break;
  }
  return result;
}

function hexBytes(bytes: Uint8Array): string[] {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0'));
}

/** A line of a memory dump: bytes in order, then as text. */
export function dumpText(bytes: Uint8Array): string {
  return `${hexBytes(bytes)
    .join(' ')
    .padEnd(3 * LINE - 1)}  ${printable(bytes)}`;
}

/** ASCII, with a dot for what has no picture. */
export function printable(bytes: Uint8Array): string {
  return [...bytes]
    .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'))
    .join('');
}
