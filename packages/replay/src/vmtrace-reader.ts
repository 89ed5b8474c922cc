import { type Chunks, feedLines, latin1, type LineConsumer, NEWLINE } from './lines.ts';
import {
  KIND_FETCH,
  KIND_LOAD,
  KIND_STORE,
  KIND_UPDATE,
  TRACE_LIMITS,
  type TraceHandler,
  type TraceTotals,
} from './records.ts';
import { quote, type TracePlace } from './trace-error.ts';
import { parseCall, parseRegion } from './vmtrace-fields.ts';

const SPACE = 32;
const HASH = 35;
const ZERO = 48;

/** The first line of the format. */
export const VMTRACE_MAGIC = '# vmtrace 1';

/** By the first byte of a line: the kind of reference, or 0. */
const KINDS = new Uint8Array(256);
KINDS['R'.charCodeAt(0)] = KIND_LOAD;
KINDS['W'.charCodeAt(0)] = KIND_STORE;
KINDS['U'.charCodeAt(0)] = KIND_UPDATE;
KINDS['X'.charCodeAt(0)] = KIND_FETCH;

/** The value of a hexadecimal digit, 255 for any other byte. */
const HEX = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit++) HEX[digit.toString(16).charCodeAt(0)] = digit;

/**
 * Reads a page-level recording, format "vmtrace 1", decompressed.
 *
 *     # vmtrace 1              X 4001 12      fetches from page 0x4001, 12 of them
 *     # key value              R befff        one load; W stores, U loads and stores by one instruction
 *     P pid tid                S name args = result
 *     I start end prot what    # end refs N records N syscalls N processes N
 *
 * Every line is checked; so are the totals of the last one, where `processes` counts those that made a
 * reference.
 *
 * @throws TraceError at the first line that is not as it should be
 */
export async function readVmtrace(
  source: Chunks,
  place: TracePlace,
  handler: TraceHandler,
): Promise<void> {
  const reader = new VmtraceReader(place, handler);
  await feedLines(source, place, reader);
  reader.finish();
}

class VmtraceReader implements LineConsumer {
  readonly #place: TracePlace;
  readonly #handler: TraceHandler;
  readonly #pids: Set<number> = new Set();
  /** Those of them that made a reference. */
  readonly #active: Set<number> = new Set();
  #pid = 0;
  #recordsBefore = 0;
  #started = false;
  #running = false;
  #ended = false;
  #refs = 0;
  #records = 0;
  #syscalls = 0;

  constructor(place: TracePlace, handler: TraceHandler) {
    this.#place = place;
    this.#handler = handler;
  }

  lines(bytes: Uint8Array, start: number, end: number): void {
    const place = this.#place;
    const handler = this.#handler;
    let at = start;
    let refs = 0;
    let records = 0;
    while (at < end) {
      place.line++;
      const kind = KINDS[bytes[at]!]!;
      if (kind === 0 || bytes[at + 1] !== SPACE || !this.#running) {
        this.#refs += refs;
        this.#records += records;
        refs = records = 0;
        at = this.#other(bytes, at);
        continue;
      }
      const line = at;
      at += 2;
      let page = 0;
      let digit = HEX[bytes[at]!]!;
      const first = at;
      while (digit !== 255) {
        page = page * 16 + digit;
        digit = HEX[bytes[++at]!]!;
      }
      if (at === first || page >= TRACE_LIMITS.page) throw this.#badPage(bytes, line);
      let count = 1;
      if (bytes[at] === SPACE) {
        count = 0;
        const from = ++at;
        for (let byte = bytes[at]! - ZERO; byte >= 0 && byte <= 9; byte = bytes[++at]! - ZERO)
          count = count * 10 + byte;
        if (at === from || count === 0 || count > TRACE_LIMITS.count)
          throw this.#badCount(bytes, line);
      }
      if (bytes[at] !== NEWLINE) throw this.#badPage(bytes, line);
      at++;
      refs += count;
      records++;
      handler.reference(kind, page, count);
    }
    this.#refs += refs;
    this.#records += records;
  }

  /** The input is over. */
  finish(): void {
    this.#place.line++;
    if (!this.#started) throw this.#place.error(`"${VMTRACE_MAGIC}"`, 'an empty file');
    if (!this.#ended)
      throw this.#place.error('"# end …"', 'the end of the file: the recording is cut short');
  }

  /** Any line but a reference. @returns where the next begins */
  #other(bytes: Uint8Array, at: number): number {
    const place = this.#place;
    const end = bytes.indexOf(NEWLINE, at);
    const text = latin1(bytes, at, end);
    if (!this.#started) {
      if (text !== VMTRACE_MAGIC) throw place.error(`"${VMTRACE_MAGIC}"`, quote(text));
      this.#started = true;
      return end + 1;
    }
    if (this.#ended) throw place.error('the end of the file after "# end"', quote(text));
    const body = text.slice(2);
    if (bytes[at] === HASH && text[1] === ' ') this.#comment(body);
    else if (text.startsWith('P ')) this.#process(body);
    else if (!this.#running)
      throw place.error('a "P pid tid" line before anything that a process does', quote(text));
    else if (text.startsWith('S ')) {
      this.#syscalls++;
      this.#handler.call(parseCall(body, place));
    } else if (text.startsWith('I ')) this.#handler.region(parseRegion(body, place));
    else
      throw place.error(
        'a line that begins with X, R, W, U, S, P, I or # and a blank',
        quote(text),
      );
    return end + 1;
  }

  #comment(body: string): void {
    const blank = body.indexOf(' ');
    const key = blank < 0 ? body : body.slice(0, blank);
    if (key !== 'end') {
      if (this.#running)
        throw this.#place.error('header lines only before the first P line', quote(body));
      this.#handler.header(key, blank < 0 ? '' : body.slice(blank + 1));
      return;
    }
    this.#leaveProcess();
    this.#ended = true;
    this.#running = false;
    this.#handler.end(this.#totals(body));
  }

  #totals(body: string): TraceTotals {
    const match =
      /^end refs (\d{1,15}) records (\d{1,15}) syscalls (\d{1,15}) processes (\d{1,15})$/.exec(
        body,
      );
    if (match === null)
      throw this.#place.error('"# end refs N records N syscalls N processes N"', quote(body));
    const [refs, records, syscalls, processes] = match.slice(1).map(Number) as [
      number,
      number,
      number,
      number,
    ];
    const seen = `refs ${this.#refs} records ${this.#records} syscalls ${this.#syscalls} processes ${this.#active.size}`;
    if (
      refs !== this.#refs ||
      records !== this.#records ||
      syscalls !== this.#syscalls ||
      processes !== this.#active.size
    )
      throw this.#place.error(`totals that agree with what the file holds: ${seen}`, quote(body));
    return { refs, records, syscalls, processes };
  }

  #leaveProcess(): void {
    if (this.#records > this.#recordsBefore) this.#active.add(this.#pid);
    this.#recordsBefore = this.#records;
  }

  #process(body: string): void {
    const match = /^(\d{1,10}) (\d{1,10})$/.exec(body);
    const pid = Number(match?.[1]);
    const tid = Number(match?.[2]);
    if (match === null || pid >= TRACE_LIMITS.pid || tid >= TRACE_LIMITS.pid)
      throw this.#place.error(`"P pid tid" with numbers below ${TRACE_LIMITS.pid}`, quote(body));
    if (!this.#pids.has(pid)) {
      if (this.#pids.size === TRACE_LIMITS.processes)
        throw this.#place.error(`at most ${TRACE_LIMITS.processes} processes`, 'another one');
      this.#pids.add(pid);
    }
    this.#leaveProcess();
    this.#pid = pid;
    this.#running = true;
    this.#handler.process(pid, tid);
  }

  #badPage(bytes: Uint8Array, at: number): Error {
    const text = latin1(bytes, at, bytes.indexOf(NEWLINE, at));
    return this.#place.error(
      `"${text[0]} page [count]" with a hexadecimal page below ${TRACE_LIMITS.page.toString(16)} and a decimal count`,
      quote(text),
    );
  }

  #badCount(bytes: Uint8Array, at: number): Error {
    const text = latin1(bytes, at, bytes.indexOf(NEWLINE, at));
    return this.#place.error(`a count from 1 to ${TRACE_LIMITS.count}`, quote(text));
  }
}
