import fc from 'fast-check';
import {
  PMAP_WIRED,
  VM_PROT_EXECUTE,
  VM_PROT_NONE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import type { Step } from './uvm-stand-in.ts';

const READ_ONLY = VM_PROT_READ | VM_PROT_EXECUTE;
const READ_WRITE = VM_PROT_READ | VM_PROT_WRITE;

/** Random steps for a {@link StandIn}: how many maps, addresses and pages there are. */
export function steps(maps: number, addresses: number, pages: number): fc.Arbitrary<Step[]> {
  const map = fc.nat(maps - 1);
  const va = fc.nat(addresses - 1);
  const page = fc.nat(pages - 1);
  const lowered = fc.constantFrom(VM_PROT_NONE, VM_PROT_READ, READ_ONLY, READ_WRITE);
  const entered = fc.constantFrom(
    [VM_PROT_READ, VM_PROT_READ],
    [READ_WRITE, VM_PROT_READ],
    [READ_WRITE, VM_PROT_WRITE],
    [READ_WRITE, 0],
    [READ_WRITE, VM_PROT_READ | PMAP_WIRED],
    [READ_WRITE, VM_PROT_WRITE | PMAP_WIRED],
    [VM_PROT_READ, VM_PROT_READ | PMAP_WIRED],
  );
  const enter = fc.tuple(map, va, page, entered).map(([m, a, p, [prot, flags]]): Step => ({
    op: 'enter',
    map: m,
    va: a,
    page: p,
    prot: prot!,
    flags: flags!,
  }));
  const step: fc.Arbitrary<Step> = fc.oneof(
    { arbitrary: enter, weight: 8 },
    {
      arbitrary: fc.record({ op: fc.constant('touch' as const), map, va, store: fc.boolean() }),
      weight: 8,
    },
    {
      arbitrary: fc.record({ op: fc.constant('remove' as const), map, from: va, to: va }),
      weight: 1,
    },
    {
      arbitrary: fc.record({ op: fc.constant('forget' as const), map, from: va, to: va }),
      weight: 1,
    },
    {
      arbitrary: fc.record({
        op: fc.constant('protect' as const),
        map,
        from: va,
        to: va,
        prot: lowered,
      }),
      weight: 2,
    },
    {
      arbitrary: fc.record({ op: fc.constant('pageProtect' as const), page, prot: lowered }),
      weight: 2,
    },
    { arbitrary: fc.record({ op: fc.constant('unwire' as const), map, va }), weight: 2 },
    { arbitrary: fc.record({ op: fc.constant('clearModify' as const), page }), weight: 2 },
    { arbitrary: fc.record({ op: fc.constant('clearReference' as const), page }), weight: 2 },
  );
  return fc.array(step, { minLength: 20, maxLength: 120 });
}
