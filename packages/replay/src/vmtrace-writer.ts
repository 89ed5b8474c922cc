import { protName } from '@uvmkit/pmap';
import {
  KIND_LETTERS,
  type InitialRegion,
  type SystemCall,
  type TraceHandler,
  type TraceTotals,
} from './records.ts';
import { VMTRACE_MAGIC } from './vmtrace-reader.ts';

/** Characters that are gathered before they are handed on. */
const BLOCK = 1 << 16;

/**
 * Writes a recording as "vmtrace 1" text, so that one read from a raw log can be kept in the small form.
 * What it is given it writes as it stands.
 */
export class VmtraceWriter implements TraceHandler {
  readonly #write: (text: string) => void;
  #text = `${VMTRACE_MAGIC}\n`;

  /** @param write receives the text in large pieces, the last one at {@link end} */
  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  header(key: string, value: string): void {
    this.#line(`# ${key} ${value}`);
  }

  process(pid: number, tid: number): void {
    this.#line(`P ${pid} ${tid}`);
  }

  region(region: InitialRegion): void {
    const { start, end, prot, contents } = region;
    let what: string = contents.what;
    if (contents.what === 'file') what = `file ${contents.path} ${contents.offset}`;
    else if (contents.what === 'brk' || contents.what === 'stack')
      what = `${contents.what} limit ${contents.limit.toString(16)}`;
    this.#line(`I ${start.toString(16)} ${end.toString(16)} ${protName(prot)} ${what}`);
  }

  reference(kind: number, page: number, count: number): void {
    const letter = KIND_LETTERS[kind]!;
    this.#line(
      count === 1 ? `${letter} ${page.toString(16)}` : `${letter} ${page.toString(16)} ${count}`,
    );
  }

  call(call: SystemCall): void {
    const args = call.args.map(({ value, text }) => {
      const number = typeof value === 'string' ? value : formatNumber(value);
      return text === null || text === '' ? number : `${number}"${text}"`;
    });
    this.#line(
      `S ${call.name} ${args.join(' ')} = ${call.result === null ? '-' : formatNumber(call.result)}`,
    );
  }

  end(totals: TraceTotals): void {
    this.#line(
      `# end refs ${totals.refs} records ${totals.records} syscalls ${totals.syscalls} processes ${totals.processes}`,
    );
    this.#write(this.#text);
    this.#text = '';
  }

  #line(line: string): void {
    this.#text += `${line}\n`;
    if (this.#text.length < BLOCK) return;
    this.#write(this.#text);
    this.#text = '';
  }
}

/** Decimal below 4096 in size, hexadecimal above. */
function formatNumber(value: number): string {
  if (Math.abs(value) < 4096) return String(value);
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}
