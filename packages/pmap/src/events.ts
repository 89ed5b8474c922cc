/** The name of a kind of event. */
export type EventName =
  | 'mmu.fault'
  | 'tlb.flushPage'
  | 'tlb.flush'
  | 'tlb.shootdown'
  | 'pmap.create'
  | 'pmap.destroy'
  | 'pmap.activate'
  | 'pmap.enter'
  | 'pmap.remove'
  | 'pmap.protect'
  | 'pmap.unwire'
  | 'pmap.kenter'
  | 'pmap.kremove'
  | 'pmap.pageProtect'
  | 'pmap.clearModify'
  | 'pmap.clearReference'
  | 'pmap.collect'
  | 'pmap.forget'
  | 'pmap.update'
  | 'pmap.steal'
  | 'pte.write'
  | 'uvm.fault'
  | 'uvm.faultDone'
  | 'uvm.promote'
  | 'uvm.wait'
  | 'uvm.wire'
  | 'uvm.unwire'
  | 'page.alloc'
  | 'page.free'
  | 'page.queue'
  | 'page.wire'
  | 'page.unwire'
  | 'io.start'
  | 'io.done'
  | 'proc.fork'
  | 'proc.exec'
  | 'proc.exit'
  | 'proc.swapout'
  | 'proc.swapin'
  | 'proc.syscall'
  | 'proc.signal';

/**
 * `scope` of `tlb.flush`: what was dropped, of one CPU. These four grow from one to the next; `tlb.flushPage` is
 * for less, one page or one entry. The sun4c, which has no TLB, tells so of its cache.
 */
export const SCOPE_RANGE = 1;
/** One address space's entries, those shared by all excepted. */
export const SCOPE_CONTEXT = 2;
/** Every address space's, those shared by all excepted. */
export const SCOPE_NONGLOBAL = 3;
/** Everything. */
export const SCOPE_ALL = 4;

/**
 * `what` of `pmap.steal`: what was taken from `pmap` because it ran out. This and {@link STEAL_TABLE} cost the
 * map mappings, none of them wired, which UVM must enter again: here the one at `va`, for its pv entry.
 */
export const STEAL_MAPPING = 1;
/** The table page whose first address is `va`, with all that it mapped. */
export const STEAL_TABLE = 2;
/**
 * The MMU's context (PID) number `which`; `va` is 0. This, {@link STEAL_PMEG} and {@link STEAL_SLOT} cost no mapping:
 * the pmap puts back what is missed, of wired mappings too, and UVM never hears of it.
 */
export const STEAL_CONTEXT = 3;
/** The MMU's table number `which` (sun4c's PMEG), which mapped the segment at `va`. */
export const STEAL_PMEG = 4;
/** The place of the entry for `va` in a hash table's group: `which` is its number there. */
export const STEAL_SLOT = 5;

/**
 * The kinds of event: a name and the names of up to five numeric fields. Addresses are bytes,
 * `pmap` a handle, `prot` and `flags` bit sets.
 *
 * `mmu.fault` is told by whoever calls `MachineDependent.trap`, once a fault, with its answer; no port does.
 * `tlb.*` are the MMU's, except `tlb.shootdown`, which is told where one CPU makes another flush. `pmap.*`
 * and `pte.write` are the pmap's.
 *
 * `pte.write` is told where the pmap writes the entry that maps the page at `va`, wherever the hardware or its miss
 * handler looks for it: tables in memory, a hash table, a PMEG or the copy of one. 0 stands for no entry; of
 * an entry of several words `old` and `new` are as the port's `pte.ts` says. Entries that point to tables are not
 * told, also where they double as PTEs of a window on the tables; nor is what hardware writes (referenced, modified), nor
 * a PMEG's loading as a whole.
 */
export const EVENTS: Readonly<Record<EventName, readonly string[]>> = {
  'mmu.fault': ['cpu', 'va', 'access', 'outcome'],
  'tlb.flushPage': ['cpu', 'va'],
  'tlb.flush': ['cpu', 'scope'],
  'tlb.shootdown': ['from', 'to', 'va'],
  'pmap.create': ['pmap'],
  'pmap.destroy': ['pmap'],
  'pmap.activate': ['pmap', 'cpu'],
  'pmap.enter': ['pmap', 'va', 'pa', 'prot', 'flags'],
  'pmap.remove': ['pmap', 'start', 'end'],
  'pmap.protect': ['pmap', 'start', 'end', 'prot'],
  'pmap.unwire': ['pmap', 'va'],
  'pmap.kenter': ['va', 'pa', 'prot'],
  'pmap.kremove': ['va', 'length'],
  'pmap.pageProtect': ['pa', 'prot'],
  'pmap.clearModify': ['pa', 'was'],
  'pmap.clearReference': ['pa', 'was'],
  'pmap.collect': ['pmap'],
  'pmap.forget': ['pmap', 'start', 'end'],
  'pmap.update': ['pmap'],
  'pmap.steal': ['pmap', 'va', 'what', 'which'],
  'pte.write': ['pmap', 'va', 'old', 'new'],
  'uvm.fault': ['map', 'va', 'type', 'access'],
  'uvm.faultDone': ['map', 'va', 'error', 'case'],
  'uvm.promote': ['map', 'va', 'from', 'to'],
  'uvm.wait': ['reason'],
  'uvm.wire': ['map', 'start', 'end', 'type'],
  'uvm.unwire': ['map', 'start', 'end'],
  'page.alloc': ['pa', 'owner', 'offset'],
  'page.free': ['pa'],
  'page.queue': ['pa', 'queue'],
  'page.wire': ['pa', 'count'],
  'page.unwire': ['pa', 'count'],
  'io.start': ['device', 'block', 'bytes', 'write'],
  'io.done': ['device', 'block', 'bytes', 'error'],
  'proc.fork': ['parent', 'child'],
  'proc.exec': ['pid'],
  'proc.exit': ['pid', 'status'],
  'proc.swapout': ['pid'],
  'proc.swapin': ['pid'],
  'proc.syscall': ['pid', 'number', 'error'],
  'proc.signal': ['pid', 'signal', 'code', 'va'],
};

/** Receives one event; fields beyond those of its kind are 0. It must not call into the machine. */
export type EventListener = (
  name: EventName,
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
) => void;

/**
 * Everything that happens, for whoever watches. Emitters write
 *
 *     if (events.watched) events.emit('pmap.remove', pmap, start, end);
 *
 * so that an unwatched machine pays one field read. Nothing is allocated for an event.
 */
export class EventStream {
  /** True while anyone listens. */
  watched = false;
  #listeners: readonly EventListener[] = [];

  /** Adds a listener; the function returned takes it away again and may be called more than once. */
  watch(listener: EventListener): () => void {
    const entry: EventListener = (name, a, b, c, d, e) => listener(name, a, b, c, d, e);
    this.#listeners = [...this.#listeners, entry];
    this.watched = true;
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== entry);
      this.watched = this.#listeners.length > 0;
    };
  }

  emit(name: EventName, a = 0, b = 0, c = 0, d = 0, e = 0): void {
    for (const listener of this.#listeners) listener(name, a, b, c, d, e);
  }
}
