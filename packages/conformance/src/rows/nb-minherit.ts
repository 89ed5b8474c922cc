import { type LiveRow, row } from '../row.ts';
import {
  MAP_INHERIT_COPY,
  MAP_INHERIT_NONE,
  MAP_INHERIT_SHARE,
  MAP_SHARED,
} from '@uvmkit/uvm-core';
import type { Va } from '@uvmkit/pmap';
import type { Inherit } from '@uvmkit/uvm-core';
import { RW, told, type World } from '../world.ts';

const ATF = 'NetBSD ATF t_minherit';

/** A shared page of ones that a child is to inherit in some way. */
const inherited =
  (inherit: Inherit) =>
  (world: World): Va => {
    const va = world.anon(1, RW, MAP_SHARED);
    world.fill(va, world.page, 1);
    world.must('minherit', world.process.sys.minherit(va, world.page, inherit));
    return va;
  };

function onlyBytes(world: World, va: Va, byte: number): boolean {
  return world.process.readBytes(va, world.page).every((found) => found === byte);
}

/** NetBSD's own tests of minherit(2). */
export const minheritRows: readonly LiveRow[] = [
  row({
    id: 'NB-MINH-01',
    sentence: 'a shared page that is inherited as a copy is not changed by the child',
    source: `${ATF}, minherit_copy`,
    setup: inherited(MAP_INHERIT_COPY),
    action: (world, va) => ({
      child: world.child((t) => t.writeBytes(va, new Uint8Array(world.page))),
      'parent keeps its ones': onlyBytes(world, va, 1),
    }),
    expected: { child: 'exit 0', 'parent keeps its ones': true },
  }),
  row({
    id: 'NB-MINH-02',
    sentence: 'a page that is inherited shared shows what the child writes',
    source: `${ATF}, minherit_share`,
    setup: inherited(MAP_INHERIT_SHARE),
    action: (world, va) => ({
      child: world.child((t) => t.writeBytes(va, new Uint8Array(world.page))),
      'parent sees zeroes': onlyBytes(world, va, 0),
    }),
    expected: { child: 'exit 0', 'parent sees zeroes': true },
  }),
  row({
    id: 'NB-MINH-03',
    sentence: 'a page that is not inherited is not there in the child',
    source: `${ATF}, minherit_none`,
    setup: inherited(MAP_INHERIT_NONE),
    action: (world, va) => ({
      child: world.child((t) => t.store8(va, 0)),
      'parent keeps its ones': onlyBytes(world, va, 1),
    }),
    expected: { child: 'SIGSEGV', 'parent keeps its ones': true },
  }),
  row({
    id: 'NB-MINH-05',
    sentence: 'an inheritance that nobody knows is refused',
    source: `${ATF}, minherit_bad`,
    setup: (world) => world.anon(1),
    action: ({ process, page }, va) => ({ minherit: told(process.sys.minherit(va, page, 666)) }),
    expected: { minherit: 'EINVAL' },
  }),
];
