import { type BareMachine, type BareOptions, bootBare, type PmapId, type Va } from '@uvmkit/pmap';
import type { I386Options, Variant } from '../src/options.ts';
import { i386, type I386Machine } from '../src/port.ts';
import { machineOf } from './check.ts';

export const VARIANTS: readonly Variant[] = ['up', 'q'];

export interface Rig {
  readonly bare: BareMachine;
  readonly md: I386Machine;
  readonly pmap: I386Machine['pmap'];
}

/** An i386 booted with nothing above it. */
export function boot(options: I386Options = {}, bareOptions: BareOptions = {}): Rig {
  const bare = bootBare(i386(options), bareOptions);
  const md = machineOf(bare);
  return { bare, md, pmap: md.pmap };
}

/** wired_count, resident_count, and the wire_count of the table that maps `va`. */
export function counters({ pmap }: Rig, id: PmapId, va: Va): number[] {
  return [pmap.wiredCount(id), pmap.residentCount(id), pmap.tableWireCount(id, va)];
}

/** What happened while `run` ran, one `name field field …` an event, of the kinds given. */
export function eventsOf({ bare }: Rig, kinds: readonly string[], run: () => void): string[] {
  const seen: string[] = [];
  const stop = bare.events.watch((name, ...fields) => {
    if (kinds.some((kind) => name.startsWith(kind)))
      seen.push([name, ...fields.map((field) => field.toString(16))].join(' '));
  });
  run();
  stop();
  return seen;
}
