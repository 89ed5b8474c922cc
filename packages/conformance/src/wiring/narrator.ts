import {
  type EventName,
  hex,
  NO_PA,
  type Pa,
  type PmapId,
  PMAP_KERNEL,
  PMAP_WIRED,
  type Va,
  VM_PROT_READ,
} from '@uvmkit/pmap';
import type { Machine, Process } from '@uvmkit/machine';
import { NO_OWNER, NO_PAGE } from '@uvmkit/uvm-core';
import { eventText, type Told } from './narrator-text.ts';
import type { Audience, Sight } from './stage.ts';

/** A line of a story. */
export interface Line {
  /** A step, something that happened in it, a detail of that, or what a program saw. */
  readonly kind: 'step' | 'event' | 'detail' | 'sight';
  readonly text: string;
}

/** A mapping that a pmap was told of. */
interface Known {
  readonly pa: Pa;
  wired: boolean;
  /** What its entry decoded to when it was written last. */
  described: string;
}

/** Why entries are being written: the last call of a pmap. */
interface Cause {
  readonly name: EventName;
  readonly prot: number;
}

/** An entry that has just been written, before it is decoded: some ports tell before they write. */
interface Written {
  readonly pmap: PmapId;
  readonly va: Va;
  readonly old: number;
  readonly now: number;
  readonly cause: Cause;
}

/** Events in the midst of what a pmap does. */
const WITHIN: ReadonlySet<EventName> = new Set([
  'tlb.flush',
  'tlb.flushPage',
  'tlb.shootdown',
  'page.free',
]);

const NOTHING: Cause = { name: 'pmap.update', prot: 0 };

/**
 * Tells what happens on a stage from the machine's event stream, with the names of processes and pages. Between
 * two events the entries that were written are decoded by the port's own `describe`, which only reads.
 */
export class Narrator implements Audience {
  readonly lines: Line[] = [];
  #machine!: Machine;
  #unwatch: () => void = () => {};
  #steps = 0;
  #offstage = false;
  /** Processes by their maps, by their pmaps and by their ids. */
  readonly #maps: Map<number, string> = new Map();
  readonly #pmaps: Map<PmapId, string> = new Map();
  readonly #processes: Map<number, string> = new Map();
  /** Files by the ids of their objects. */
  readonly #objects: Map<number, string> = new Map();
  readonly #known: Map<string, Known> = new Map();
  #written: Written[] = [];
  #cause: Cause = NOTHING;
  /** The page that has just been taken from every pmap. */
  #taken: Pa = NO_PA;

  begin(machine: Machine): void {
    this.#machine = machine;
    this.#unwatch = machine.events.watch((name, a, b, c, d, e) => this.#event(name, a, b, c, d, e));
  }

  offstage(off: boolean): void {
    this.#flush();
    this.#offstage = off;
  }

  enter(name: string, process: Process): void {
    this.#maps.set(process.space.map.id, name);
    this.#processes.set(process.pid, name);
    this.#pmaps.set(process.space.pmap, name);
  }

  prop(name: string): void {
    const file = this.#machine.fs.lookup(name);
    if (file !== null) this.#objects.set(file.vnode.id, name);
  }

  step(text: string): void {
    this.#flush();
    this.#tellKept();
    this.lines.push({ kind: 'step', text: `${++this.#steps}. ${text}` });
  }

  see({ what, seen, right }: Sight): void {
    this.#flush();
    const wrong = right.includes(seen) ? '' : `, where ${right.map(value).join(' or ')} is right`;
    this.lines.push({ kind: 'sight', text: `${what}: ${value(seen)}${wrong}` });
  }

  /** The curtain has fallen, or the machine has stopped. */
  end(): readonly Line[] {
    this.#flush();
    const { panic } = this.#machine;
    if (panic !== null) this.#tell('event', panic.message);
    this.#unwatch();
    return this.lines;
  }

  #tell(kind: Line['kind'], text: string): void {
    if (text !== '' && !this.#offstage) this.lines.push({ kind, text });
  }

  // Names.

  /** Whose a map is. */
  readonly #map = (id: number): string =>
    id === this.#machine.uvm.kernelMap.id ? 'the kernel' : (this.#maps.get(id) ?? 'a new process');

  readonly #pmap = (id: PmapId): string =>
    id === PMAP_KERNEL ? 'the kernel' : (this.#pmaps.get(id) ?? 'a new process');

  readonly #process = (pid: number): string => this.#processes.get(pid) ?? `process ${pid}`;

  /** What a page is, as long as it is that. */
  readonly #page = (pa: Pa): string => {
    const { pages } = this.#machine.uvm;
    const page = pages.pageIndex(pa);
    if (page === NO_PAGE) return `frame ${hex(pa)} of the device`;
    const object = pages.uobject[page]!;
    const file = this.#objects.get(object);
    if (file !== undefined) return `page ${hex(pa)} (${file}, page ${pages.offset[page]!})`;
    if (object !== NO_OWNER) return `page ${hex(pa)} (the kernel's)`;
    return pages.uanon[page] === NO_OWNER ? `page ${hex(pa)}` : `page ${hex(pa)} (private)`;
  };

  // Events.

  #event(name: EventName, a: number, b: number, c: number, d: number, e: number): void {
    if (name === 'pte.write') {
      // A second word about the same entry comes after the first was written.
      this.#written.push({ pmap: a, va: b, old: c, now: d, cause: this.#cause });
      return;
    }
    // A mapping is known from what it was entered for; its entry is written after that.
    this.#flush();
    if (!WITHIN.has(name)) this.#tellKept();
    if (name.startsWith('pmap.') && name !== 'pmap.update')
      this.#cause = { name, prot: name === 'pmap.pageProtect' ? b : d };
    if (name === 'pmap.enter') {
      const wired = (e & PMAP_WIRED) !== 0;
      this.#known.set(key(a, b), { pa: c, wired, described: '' });
    }
    if (name === 'pmap.unwire') {
      const known = this.#known.get(key(a, b));
      if (known !== undefined) known.wired = false;
    }
    if (name === 'pmap.pageProtect' && takesAway(this.#cause)) this.#taken = a;
    const text = eventText({ name, a, b, c, d, e }, this.#told);
    this.#tell('event', text);
  }

  readonly #told: Told = {
    map: this.#map,
    pmap: this.#pmap,
    process: this.#process,
    page: this.#page,
  };

  /** Tells of the entries written since the last event. */
  #flush(): void {
    const written = this.#written;
    this.#written = [];
    for (const each of written) {
      const text = this.#writtenText(each);
      this.#tell('detail', text);
    }
  }

  /** A page has been taken from every pmap: tells who has it nevertheless. */
  #tellKept(): void {
    const pa = this.#taken;
    this.#taken = NO_PA;
    if (pa === NO_PA) return;
    const { pmap } = this.#machine.md;
    for (const [place, known] of this.#known) {
      const [id, va] = place.split(':').map(Number) as [PmapId, Va];
      if (known.pa !== pa || !known.wired || pmap.extract(id, va) === NO_PA) continue;
      const text = `${this.#pmap(id)} keeps its mapping of ${hex(va)}: it is wired`;
      this.#tell('detail', text);
    }
  }

  #writtenText({ pmap, va, now, cause }: Written): string {
    const known = this.#known.get(key(pmap, va));
    const who = this.#pmap(pmap);
    if (now !== 0) {
      const described = this.#machine.md.pmap.describe(pmap, va);
      if (known !== undefined) known.described = described;
      return `${who}'s entry for ${hex(va)}: ${described}`;
    }
    // An entry may leave a hash table, or be replaced, and its mapping stay.
    if (known === undefined || !takesAway(cause)) return '';
    this.#known.delete(key(pmap, va));
    const wired = known.wired ? ', which was wired' : '';
    const was = known.described === '' ? '' : ` (it was: ${known.described})`;
    return `${who} loses its mapping of ${hex(va)}${wired}${was}`;
  }
}

/** Whether what a pmap was asked for takes mappings away. */
function takesAway({ name, prot }: Cause): boolean {
  if (name === 'pmap.pageProtect' || name === 'pmap.protect') return (prot & VM_PROT_READ) === 0;
  return name === 'pmap.remove' || name === 'pmap.forget' || name === 'pmap.collect';
}

function key(pmap: PmapId, va: Va): string {
  return `${pmap}:${va}`;
}

/** A byte as the scenarios write it. */
function value(seen: string | number | boolean): string {
  return typeof seen === 'number' && seen > 9 ? `0x${seen.toString(16)}` : `${seen}`;
}
