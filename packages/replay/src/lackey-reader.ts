import {
  CLONE_VFORK,
  finishCall,
  hasBit,
  isFork,
  type OpenCall,
  splitCall,
} from './lackey-call.ts';
import type { Images } from './lackey-maps.ts';
import { ReferenceWindow } from './lackey-window.ts';
import { type Chunks, feedLines, latin1, type LineConsumer, NEWLINE } from './lines.ts';
import {
  KIND_FETCH,
  KIND_LOAD,
  KIND_STORE,
  KIND_UPDATE,
  TRACE_LIMITS,
  TRACE_PAGE,
  type TraceHandler,
} from './records.ts';
import { quote, type TracePlace } from './trace-error.ts';

/** What a raw log does not say itself: the header that the page-level form has. */
export interface LackeyOptions {
  /** Of every process image, from {@link readLackeyMaps}. Used up by the reading. */
  readonly images: Images;
  readonly name?: string;
  readonly machine?: string;
  readonly recorder?: string;
  readonly command?: string;
  /** Distinct pages in a window within which references are merged; 0, the default, keeps their order exact. */
  readonly window?: number;
}

/**
 * Reads a raw log of `valgrind --tool=lackey --trace-mem=yes --trace-syscalls=yes`, decompressed, with
 * every process of the run in it, as the records that the page-level form would hold.
 *
 * Reference lines name no process: those between two lines of system calls belong to the process that makes the second, so
 * they are kept until it is known. Everything else that such logs do (two processes on a line, results that
 * come later or on a line of their own, a child that comes back before its parent) is put in order
 * here; the ways are listed at `LackeyReader`'s methods.
 *
 * @throws TraceError at the first line that fits nothing
 */
export async function readLackey(
  source: Chunks,
  place: TracePlace,
  options: LackeyOptions,
  handler: TraceHandler,
): Promise<void> {
  handler.header('name', options.name ?? '');
  handler.header('machine', options.machine ?? 'i386');
  handler.header('recorder', options.recorder ?? 'valgrind lackey');
  handler.header('command', options.command ?? '');
  handler.header('window', String(options.window ?? 0));
  const reader = new LackeyReader(place, options, handler);
  await feedLines(source, place, reader);
  reader.finish();
}

const KINDS: Readonly<Record<string, number>> = {
  I: KIND_FETCH,
  L: KIND_LOAD,
  S: KIND_STORE,
  M: KIND_UPDATE,
};
const SPACE = 32;
const COMMA = 44;
/** By the byte of the letter: the kind of reference. */
const LETTER = new Uint8Array(256);
for (const [letter, kind] of Object.entries(KINDS)) LETTER[letter.charCodeAt(0)] = kind;
const LETTER_I = 73;
/** The value of a digit, 255 for any other byte. */
const DIGIT = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit++) DIGIT[digit.toString(16).charCodeAt(0)] = digit;

const HEAD = /^SYSCALL\[(\d{1,10}),(\d{1,10})\]\(\s*(\d{1,4})\) ?(.*)$/s;
const TAIL = /--> (?:\[[\w-]+\] )?(Success|Failure)\((0x[0-9a-fA-F]{1,16})[^)]*\) ?/;
const FORK = /process (\d+) created child (\d+)/;
const OWN = /(?:==|--)(\d{1,10})(?:==|--)/;
const REFERENCE = /^(I | L| S| M) ([ 0-9a-f][0-9a-f]{7,15}),(\d{1,5})\s*$/;

/** Records kept while the process that made them is not known. */
const PENDING = 1 << 22;
/** The most bytes that one instruction may touch; more is taken for a broken line. */
const LARGEST = 4096;

class LackeyReader implements LineConsumer {
  readonly #place: TracePlace;
  readonly #options: LackeyOptions;
  readonly #handler: TraceHandler;
  readonly #window: ReferenceWindow;
  /** Processes heard of: by a call, an image or a fork. */
  readonly #known: Set<number> = new Set();
  readonly #active: Set<number> = new Set();
  /** The process whose lines these are, as far as is known. */
  #current: number | null = null;
  /** Whose records were written last. */
  #pid = -1;
  #tid = -1;
  /** Calls that have begun: by process for its first thread, by process and thread for others. */
  readonly #open: Map<string, OpenCall> = new Map();
  /** Of those, the ones whose result will come with no name on it. */
  #hanging: string[] = [];
  /** Children made by forks that have been written already, whose number the parent's result will repeat. */
  readonly #forked: Set<number> = new Set();
  /** Zeroes that new children have still to print. */
  #zeroes = 0;
  /** A vfork whose child is not known yet. */
  #spawn: OpenCall | null = null;
  #refs = 0;
  #records = 0;
  #syscalls = 0;

  constructor(place: TracePlace, options: LackeyOptions, handler: TraceHandler) {
    this.#place = place;
    this.#options = options;
    this.#handler = handler;
    this.#window = new ReferenceWindow(options.window ?? 0);
  }

  /**
   *     I  0401b5c0,2       fetch (two blanks)          S befffdf0,4    store
   *      L befffde8,4       load                        M 040347ae,1    both
   */
  lines(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end;) {
      this.#place.line++;
      const first = bytes[at]!;
      const kind = LETTER[first === LETTER_I ? first : bytes[at + 1]!]!;
      const shape =
        first === LETTER_I ? bytes[at + 1] === SPACE : first === SPACE && kind !== KIND_FETCH;
      const next =
        shape && kind !== 0 && bytes[at + 2] === SPACE ? this.#reference(bytes, at + 3, kind) : -1;
      if (next >= 0) {
        at = next;
        continue;
      }
      const newline = bytes.indexOf(NEWLINE, at);
      this.#text(latin1(bytes, at, newline));
      at = newline + 1;
    }
    if (this.#window.length >= PENDING) this.#overflow();
  }

  finish(): void {
    this.#settle(this.#current ?? 0, 1);
    if (this.#known.size === 0) {
      this.#place.line = 0;
      throw this.#place.error('the log of a lackey run', 'no process in it');
    }
    this.#handler.end({
      refs: this.#refs,
      records: this.#records,
      syscalls: this.#syscalls,
      processes: this.#active.size,
    });
  }

  /** `ADDRESS,SIZE\n`. @returns where the next line begins, or −1 if it is not quite that */
  #reference(bytes: Uint8Array, from: number, kind: number): number {
    let at = from;
    let page = 0;
    let address = 0;
    for (let digit = DIGIT[bytes[at]!]!; digit < 16; digit = DIGIT[bytes[++at]!]!)
      address = address * 16 + digit;
    if (bytes[at] !== COMMA || at - from < 8 || at - from > 13) return -1;
    let size = 0;
    const digits = ++at;
    for (let digit = DIGIT[bytes[at]!]!; digit < 10; digit = DIGIT[bytes[++at]!]!)
      size = size * 10 + digit;
    if (bytes[at] !== NEWLINE || at === digits || at - digits > 5) return -1;
    page = Math.floor(address / TRACE_PAGE);
    this.#window.note(kind, page);
    if ((address % TRACE_PAGE) + size > TRACE_PAGE) this.#crossing(kind, address, size);
    return at + 1;
  }

  /** The pages beyond the first. */
  #crossing(kind: number, address: number, size: number): void {
    if (size > LARGEST)
      throw this.#place.error(`an access of at most ${LARGEST} bytes`, `${size} bytes`);
    const last = Math.floor((address + size - 1) / TRACE_PAGE);
    for (let page = Math.floor(address / TRACE_PAGE) + 1; page <= last; page++)
      this.#window.note(kind, page);
  }

  /** So many references without a call: harmless while there is only one process that can have made them. */
  #overflow(): void {
    if (this.#known.size > 1 || this.#current === null)
      throw this.#place.error(
        `a system call within ${PENDING} records, to know which process made them`,
        'none (a larger window merges more)',
      );
    this.#settle(this.#current, this.#tid < 0 ? 1 : this.#tid);
  }

  /** Everything pending was done by this thread. */
  #settle(pid: number, tid: number): void {
    const window = this.#window;
    if (window.length === 0) return;
    this.#current = pid;
    this.#switch(pid, tid);
    this.#know(pid);
    this.#active.add(pid);
    for (let record = 0; record < window.length; record++) {
      this.#handler.reference(window.kind(record), window.page(record), window.count(record));
      this.#refs += window.count(record);
    }
    this.#records += window.length;
    window.clear();
  }

  #switch(pid: number, tid: number): void {
    if (this.#pid === pid && this.#tid === tid) return;
    this.#handler.process(pid, tid);
    this.#pid = pid;
    this.#tid = tid;
  }

  #know(pid: number): void {
    if (this.#known.has(pid)) return;
    if (this.#known.size === TRACE_LIMITS.processes)
      throw this.#place.error(`at most ${TRACE_LIMITS.processes} processes`, 'another one');
    this.#known.add(pid);
  }

  /** A program starts: the first of a run, or the one that an execve, which has no result, led to. */
  #image(pid: number): void {
    const exec = this.#open.get(String(pid));
    this.#open.delete(String(pid));
    const image = this.#options.images.get(pid)?.shift();
    if (image === undefined)
      throw this.#place.error(`a segment list of process ${pid} in the maps`, 'none left');
    this.#switch(pid, 1);
    if (exec !== undefined) this.#finished(exec, 0);
    this.#know(pid);
    for (const region of image) this.#handler.region(region);
  }

  #finished(open: OpenCall, result: number | null): void {
    this.#switch(open.pid, open.tid);
    const call = finishCall(open, result);
    this.#handler.call(call);
    this.#syscalls++;
    this.#know(open.pid);
    if (result !== null && result > 0 && isFork(call)) this.#know(result);
  }

  /** Anything that is not purely a reference. */
  #text(line: string): void {
    const glued = line.indexOf('SYSCALL[', 1);
    if (glued > 0) {
      // Two processes on one line.
      this.#text(line.slice(0, glued));
      this.#text(line.slice(glued));
      return;
    }
    let rest: string | null = line;
    while (rest !== null && rest.trim() !== '') rest = this.#piece(rest);
  }

  /** Deals with what a text begins with. @returns what follows, or null if the line is done with */
  #piece(text: string): string | null {
    const head = HEAD.exec(text);
    if (head !== null)
      return this.#head(Number(head[1]), Number(head[2]), Number(head[3]), head[4]!);
    const own = OWN.exec(text);
    if (own?.index === 0) {
      this.#message(Number(own[1]), text);
      return null;
    }
    const tail = TAIL.exec(text);
    if (tail !== null) {
      this.#looseResult(tail);
      return text.slice(tail.index + tail[0].length);
    }
    const reference = REFERENCE.exec(text);
    if (reference === null)
      throw this.#place.error(
        'a reference, a system call, a result or a message of the recorder',
        quote(text),
      );
    const address = Number.parseInt(reference[2]!, 16);
    const size = Number(reference[3]);
    const kind = KINDS[reference[1]!.trim()]!;
    this.#window.note(kind, Math.floor(address / TRACE_PAGE));
    if ((address % TRACE_PAGE) + size > TRACE_PAGE) this.#crossing(kind, address, size);
    return null;
  }

  /** `SYSCALL[pid,tid](nr) …` */
  #head(pid: number, tid: number, number: number, rest: string): string | null {
    if (this.#spawn !== null && !this.#known.has(pid)) this.#bornOf(this.#spawn, pid);
    this.#settle(pid, tid);
    this.#current = pid;
    const tail = TAIL.exec(rest);
    const key = tid === 1 ? String(pid) : `${pid},${tid}`;
    if (rest.startsWith('... [async]')) {
      const open = this.#open.get(key);
      this.#open.delete(key);
      if (open !== undefined && tail !== null) this.#finished(open, resultOf(tail));
      return tail === null ? null : rest.slice(tail.index + tail[0].length);
    }
    const { name, args } = splitCall(number, tail === null ? rest : rest.slice(0, tail.index));
    const open: OpenCall = { pid, tid, name, args };
    const fork = FORK.exec(rest);
    if (fork !== null) {
      // Before the child's first step: its parent's result will only repeat the number.
      this.#finished(open, Number(fork[2]));
      this.#forked.add(Number(fork[2]));
      this.#zeroes++;
      return null;
    }
    if (name === 'clone' && args.length > 0 && hasBit(Number.parseInt(args[0]!, 16), CLONE_VFORK)) {
      // The child comes back first, with a zero, on the parent's line; its own first call tells its number.
      this.#spawn = open;
      this.#zeroes++;
      return null;
    }
    if (tail !== null) {
      this.#finished(open, resultOf(tail));
      return rest.slice(tail.index + tail[0].length);
    }
    this.#open.set(key, open);
    if (!rest.includes('[async]')) this.#hanging.push(key);
    const own = OWN.exec(rest);
    return own === null ? null : rest.slice(own.index);
  }

  /** A process not heard of before, while a vfork waits for its child: the call goes before what the child did. */
  #bornOf(spawn: OpenCall, child: number): void {
    this.#window.close();
    this.#finished(spawn, child);
    this.#forked.add(child);
    this.#spawn = null;
  }

  /** `==pid== …` and `--pid-- …`: the recorder speaks for a process, which therefore runs. */
  #message(pid: number, text: string): void {
    if (text.includes(' Lackey,')) {
      this.#settle(this.#current ?? pid, 1);
      this.#current = pid;
      this.#image(pid);
    } else if (this.#current !== pid && this.#current !== null) {
      this.#settle(this.#current, 1);
      this.#current = pid;
    }
  }

  /** A result with no call before it on its line. */
  #looseResult(tail: RegExpExecArray): void {
    const value = Number(tail[2]);
    if (this.#forked.delete(value)) return;
    if (value === 0 && this.#zeroes > 0) {
      this.#zeroes--;
      return;
    }
    const key = this.#waiting(resultOf(tail));
    this.#hanging = this.#hanging.filter((other) => other !== key && this.#open.has(other));
    if (key === null) return;
    const open = this.#open.get(key)!;
    this.#open.delete(key);
    this.#finished(open, resultOf(tail));
  }

  /** The call that a loose result belongs to: the one that asked for that very address, else the latest that waits. */
  #waiting(result: number): string | null {
    const waiting = this.#hanging.filter((key) => {
      const open = this.#open.get(key);
      return open !== undefined && (result < 0 || open.name !== 'execve');
    });
    const latest = waiting.at(-1) ?? null;
    if (result < 0) return latest;
    const asked = waiting.findLast(
      (key) => this.#open.get(key)!.args[0]?.toLowerCase() === `0x${result.toString(16)}`,
    );
    return asked ?? latest;
  }
}

function resultOf(tail: RegExpExecArray): number {
  const value = Number(tail[2]);
  return tail[1] === 'Success' ? value : -value;
}
