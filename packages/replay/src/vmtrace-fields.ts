import {
  type CallArgument,
  type InitialRegion,
  type RegionContents,
  type SystemCall,
  TRACE_LIMITS,
  TRACE_PAGE,
} from './records.ts';
import { quote, type TracePlace } from './trace-error.ts';

/** The first address that no recording may name. */
const ADDRESS_END = TRACE_LIMITS.page * TRACE_PAGE;

/** A byte address in hexadecimal without 0x, a multiple of the recorded page. */
function pageAddress(token: string | undefined, what: string, place: TracePlace): number {
  const value =
    token !== undefined && /^[0-9a-f]{1,13}$/.test(token) ? Number.parseInt(token, 16) : NaN;
  if (!(value < ADDRESS_END) || value % TRACE_PAGE !== 0)
    throw place.error(
      `${what} as a hexadecimal address below ${ADDRESS_END.toString(16)} and a multiple of 1000`,
      found(token),
    );
  return value;
}

function found(token: string | undefined): string {
  return token === undefined ? 'the end of the line' : quote(token);
}

/** The `VM_PROT_*` bits of `r-x` and the like. */
function protection(token: string | undefined, place: TracePlace): number {
  if (token === undefined || !/^[r-][w-][x-]$/.test(token))
    throw place.error('a protection such as r-x', found(token));
  return (token[0] === 'r' ? 1 : 0) | (token[1] === 'w' ? 2 : 0) | (token[2] === 'x' ? 4 : 0);
}

/**
 * `start end prot what`, what follows `I ` on a line. The end may lie inside a page.
 *
 * @throws TraceError where it is anything else
 */
export function parseRegion(text: string, place: TracePlace): InitialRegion {
  const tokens = text.split(' ');
  const start = pageAddress(tokens[0], 'the start of a region', place);
  const end = pageAddress(tokens[1], 'the end of a region', place);
  if (end <= start)
    throw place.error(
      `the end of a region beyond its start ${start.toString(16)}`,
      end.toString(16),
    );
  if ((end - start) / TRACE_PAGE > TRACE_LIMITS.regionPages)
    throw place.error(
      `a region of at most ${TRACE_LIMITS.regionPages} pages`,
      `${(end - start) / TRACE_PAGE} pages`,
    );
  const prot = protection(tokens[2], place);
  return { start, end, prot, contents: regionContents(tokens, start, end, place) };
}

function regionContents(
  tokens: readonly string[],
  start: number,
  end: number,
  place: TracePlace,
): RegionContents {
  const what = tokens[3];
  const only = (count: number): void => {
    if (tokens.length > count)
      throw place.error('the end of the line', quote(tokens.slice(count).join(' ')));
  };
  switch (what) {
    case 'file': {
      const offset = tokens.at(-1)!;
      const path = tokens.slice(4, -1).join(' ');
      if (path === '' || !/^\d{1,15}$/.test(offset))
        throw place.error('file PATH OFFSET', quote(tokens.slice(3).join(' ')));
      const bytes = Number(offset);
      if (bytes % TRACE_PAGE !== 0)
        throw place.error(`a file offset that is a multiple of ${TRACE_PAGE}`, offset);
      if (bytes + end - start > TRACE_LIMITS.fileBytes)
        throw place.error(`a file of at most ${TRACE_LIMITS.fileBytes} bytes`, `offset ${offset}`);
      return { what, path, offset: bytes };
    }
    case 'brk':
    case 'stack': {
      if (tokens[4] !== 'limit')
        throw place.error(`${what} limit ADDRESS`, quote(tokens.slice(3).join(' ')));
      const limit = pageAddress(tokens[5], `the limit of the ${what}`, place);
      only(6);
      if (what === 'brk' ? limit < end : limit > start)
        throw place.error(
          what === 'brk'
            ? `a limit of at least ${end.toString(16)}`
            : `a limit of at most ${start.toString(16)}`,
          tokens[5]!,
        );
      if (Math.abs(limit - (what === 'brk' ? start : end)) / TRACE_PAGE > TRACE_LIMITS.regionPages)
        throw place.error(
          `a ${what} of at most ${TRACE_LIMITS.regionPages} pages`,
          `limit ${tokens[5]}`,
        );
      return { what, limit };
    }
    case 'anon':
    case 'tool':
      only(4);
      return { what };
    default:
      throw place.error('file, anon, brk, stack or tool', found(what));
  }
}

/** A number as S lines have it: decimal, or hexadecimal after 0x, perhaps negative. */
const NUMBER = /^-?(?:0x[0-9a-f]{1,16}|\d{1,16})$/;
/** One argument at the start of a text: a number, a string after it perhaps, or a bare word. */
const ARGUMENT = /^(?:(-?(?:0x[0-9a-f]{1,16}|\d{1,16}))(?:"(.*?)"(?= |$))?|[\w()./:,+*-]+)(?: |$)/s;

/** The value of such a number. Values beyond 2^53 (64-bit masks) lose low bits, which no call here looks at. */
export function parseNumber(text: string): number {
  return text.startsWith('-') ? -Number(text.slice(1)) : Number(text);
}

/**
 * `name args = result`, what follows `S ` on a line.
 *
 * @throws TraceError where it is anything else
 */
export function parseCall(text: string, place: TracePlace): SystemCall {
  const equals = text.lastIndexOf(' = ');
  if (equals < 0) throw place.error('a system call as NAME ARGUMENTS = RESULT', quote(text));
  const resultText = text.slice(equals + 3);
  const result = resultText === '-' ? null : parseResult(resultText, place);
  const blank = text.indexOf(' ');
  const name = text.slice(0, blank);
  if (!/^\w{1,64}$/.test(name)) throw place.error('the name of a system call', quote(name));
  return {
    name,
    args: parseArguments(text.slice(blank + 1, Math.max(equals, blank + 1)).trim(), place),
    result,
  };
}

function parseResult(text: string, place: TracePlace): number {
  if (!NUMBER.test(text)) throw place.error("a system call's result as a number or -", quote(text));
  return parseNumber(text);
}

function parseArguments(text: string, place: TracePlace): CallArgument[] {
  const args: CallArgument[] = [];
  let rest = text;
  while (rest !== '') {
    const match = ARGUMENT.exec(rest);
    if (match === null)
      throw place.error(
        'an argument: a number, with a string in quotes after it perhaps',
        quote(rest),
      );
    if (args.length === TRACE_LIMITS.args)
      throw place.error(`at most ${TRACE_LIMITS.args} arguments`, quote(rest));
    const token = match[1];
    args.push({
      value: token === undefined ? match[0].trimEnd() : parseNumber(token),
      text: match[2] ?? null,
    });
    rest = rest.slice(match[0].length);
  }
  return args;
}
