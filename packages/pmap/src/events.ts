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
  | 'proc.syscall'
  | 'proc.signal';

/**
 * The kinds of event: a name and the names of up to five numeric fields. Addresses are bytes,
 * `pmap` a handle, `prot` and `flags` bit sets.
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
  'pmap.update': ['pmap'],
  'pmap.steal': ['pmap', 'va', 'what'],
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
