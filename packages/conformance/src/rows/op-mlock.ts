import { MAP_SHARED } from '@uvmkit/uvm-core';
import type { Va } from '@uvmkit/pmap';
import { type LiveRow, row } from '../row.ts';
import { RW, told, type World } from '../world.ts';

const MLOCK = 'Open POSIX mlock';
const MUNLOCK = 'Open POSIX munlock';
const UNTESTED = 'which the suite leaves out';

function lockedPage(world: World): Va {
  const va = world.anon(1);
  world.must('mlock', world.process.sys.mlock(va, world.page));
  return va;
}

/** C's LONG_MAX, as far as a number tells it. */
function longMax({ machine }: World): number {
  return machine.md.port.layout.pointerSize === 4 ? 2 ** 31 - 1 : Number.MAX_SAFE_INTEGER;
}

/** Three pages, the middle one unmapped again. */
function hole(world: World): Va {
  const va = world.anon(3);
  world.must('munmap', world.process.sys.munmap(va + world.page, world.page));
  return va;
}

/** The Open POSIX rows on mlock and munlock. */
export const posixLockRows: readonly LiveRow[] = [
  row({
    id: 'OP-MLOCK-1',
    sentence: 'mlock locks every page that the range touches',
    source: `${MLOCK}, assertion 1, ${UNTESTED}`,
    setup: (world) => world.anon(4),
    action: (world, va) => ({
      mlock: told(world.process.sys.mlock(va + world.page - 1, world.page + 2)),
      'pages locked': world.lockedPages(),
      'first locked': world.locked(va),
      'last locked': world.locked(va + 3 * world.page),
    }),
    expected: { mlock: 'ok', 'pages locked': 3, 'first locked': true, 'last locked': false },
  }),
  row({
    id: 'OP-MLOCK-3',
    sentence: 'what mlock has locked is resident when it returns',
    source: `${MLOCK}, assertion 3, ${UNTESTED}`,
    about: {
      policies: ['wire', 'wiremax', 'targeted'],
      reason: 'its locked memory is resident and need not be mapped, so that accesses may fault',
    },
    setup: (world) => world.anon(32),
    action: (world, va) => {
      const before = world.resident(va, 32);
      const mlock = told(world.process.sys.mlock(va, 32 * world.page));
      const { faults } = world.machine.uvm.exp;
      for (let i = 0; i < 32; i++) world.process.store8(va + i * world.page, i);
      const seen = world.machine.uvm.exp.faults - faults;
      return { before, mlock, after: world.resident(va, 32), 'faults that UVM saw': seen };
    },
    expected: { before: 0, mlock: 'ok', after: 32, 'faults that UVM saw': 0 },
  }),
  row({
    id: 'OP-MLOCK-5-1',
    sentence: 'what is mapped can be locked',
    source: `${MLOCK} 5-1`,
    setup: (world) => world.anon(1),
    action: ({ process, page }, va) => ({ mlock: told(process.sys.mlock(va, page)) }),
    expected: { mlock: 'ok' },
  }),
  row({
    id: 'OP-MLOCK-6',
    sentence: 'mlock that fails changes no lock',
    source: `${MLOCK}, assertion 6, ${UNTESTED}`,
    setup: (world) => {
      const va = hole(world);
      world.must('mlock', world.process.sys.mlock(va, world.page));
      return va;
    },
    action: (world, va) => ({
      'across a hole': told(world.process.sys.mlock(va, 3 * world.page)),
      'locked before it': world.locked(va),
      'locked behind it': world.locked(va + 2 * world.page),
      'pages wired': world.wiredPages,
    }),
    expected: {
      'netbsd-2001': {
        'across a hole': 'EINVAL',
        'locked before it': true,
        'locked behind it': false,
        'pages wired': 1,
      },
      posix: {
        'across a hole': 'ENOMEM',
        'locked before it': true,
        'locked behind it': false,
        'pages wired': 1,
      },
    },
  }),
  row({
    id: 'OP-MLOCK-8-1',
    sentence: 'a range that is too long to be mapped cannot be locked',
    source: `${MLOCK} 8-1`,
    setup: (world) => world.anon(1),
    action: (world, va) => ({ mlock: told(world.process.sys.mlock(va, longMax(world))) }),
    // The length wraps around as the signed number that the kernel takes it for.
    expected: { 'netbsd-2001': { mlock: 'EINVAL' }, posix: { mlock: 'ENOMEM' } },
  }),
  row({
    id: 'OP-MLOCK-10-1',
    sentence: 'an address within a page may be refused; NetBSD locks the page',
    source: `${MLOCK} 10-1`,
    setup: (world) => world.anon(1),
    action: (world, va) => ({ mlock: told(world.process.sys.mlock(va + 1, world.page - 1)) }),
    expected: { 'netbsd-2001': { mlock: 'ok' }, posix: { mlock: ['ok', 'EINVAL'] } },
  }),
  row({
    id: 'OP-MLOCK-12-1',
    sentence: 'who may not lock anything is told so',
    source: `${MLOCK} 12-1`,
    setup: (world) => {
      world.limit({ memlock: 0 });
      return world.anon(1);
    },
    action: (world, va) => ({
      mlock: told(world.process.sys.mlock(va, world.page)),
      'pages locked': world.lockedPages(),
    }),
    expected: {
      'netbsd-2001': { mlock: 'EAGAIN', 'pages locked': 0 },
      posix: { mlock: 'EPERM', 'pages locked': 0 },
    },
  }),
  row({
    id: 'OP-MUNLOCK-1',
    sentence: 'one munlock undoes every mlock of a page',
    source: `${MUNLOCK}, assertion 1, ${UNTESTED}`,
    setup: lockedPage,
    action: (world, va) => {
      const { process, page } = world;
      for (let i = 0; i < 3; i++) world.must('mlock', process.sys.mlock(va, page));
      const munlock = told(process.sys.munlock(va, page));
      return { munlock, locked: world.locked(va), 'pages wired': world.wiredPages };
    },
    expected: { munlock: 'ok', locked: false, 'pages wired': 0 },
  }),
  row({
    id: 'OP-MUNLOCK-3',
    sentence: "munlock leaves other processes' locks of the same page alone",
    source: `${MUNLOCK}, assertion 3, ${UNTESTED}`,
    setup: (world) => {
      const va = world.anon(1, RW, MAP_SHARED);
      const child = world.fork();
      for (const process of [world.process, child])
        world.must('mlock', process.sys.mlock(va, world.page));
      return { va, child };
    },
    action: (world, { va, child }) => ({
      munlock: told(world.process.sys.munlock(va, world.page)),
      'own lock': world.locked(va),
      "the other's lock": world.locked(va, child),
      'pages wired': world.wiredPages,
    }),
    expected: { munlock: 'ok', 'own lock': false, "the other's lock": true, 'pages wired': 1 },
  }),
  row({
    id: 'OP-MUNLOCK-4',
    sentence: 'munlock leaves locks of the same page at other addresses alone',
    source: `${MUNLOCK}, assertion 4, ${UNTESTED}`,
    setup: (world) => {
      const { fd } = world.file(world.page);
      const map = (): Va => {
        const va = world.map(fd, world.page, RW, MAP_SHARED);
        world.must('mlock', world.process.sys.mlock(va, world.page));
        return va;
      };
      return { first: map(), second: map() };
    },
    action: (world, { first, second }) => ({
      munlock: told(world.process.sys.munlock(first, world.page)),
      'first locked': world.locked(first),
      'second locked': world.locked(second),
      'pages wired': world.wiredPages,
    }),
    expected: { munlock: 'ok', 'first locked': false, 'second locked': true, 'pages wired': 1 },
  }),
  row({
    id: 'OP-MUNLOCK-7-1',
    sentence: 'what is locked can be unlocked',
    source: `${MUNLOCK} 7-1`,
    setup: lockedPage,
    action: ({ process, page }, va) => ({ munlock: told(process.sys.munlock(va, page)) }),
    expected: { munlock: 'ok' },
  }),
  row({
    id: 'OP-MUNLOCK-10-1',
    sentence: 'where something is not mapped nothing can be unlocked',
    source: `${MUNLOCK} 10-1`,
    setup: (world) => {
      const va = hole(world);
      world.must('mlock', world.process.sys.mlock(va, world.page));
      world.must('mlock', world.process.sys.mlock(va + 2 * world.page, world.page));
      return va;
    },
    action: ({ process, page }, va) => ({
      'with a hole': told(process.sys.munlock(va, 3 * page)),
      'in a hole': told(process.sys.munlock(va + page, page)),
    }),
    expected: {
      'netbsd-2001': { 'with a hole': 'EINVAL', 'in a hole': 'EFAULT' },
      posix: { 'with a hole': 'ENOMEM', 'in a hole': 'ENOMEM' },
    },
  }),
  row({
    id: 'OP-MUNLOCK-11-1',
    sentence: 'an address within a page may be refused; NetBSD unlocks the page',
    source: `${MUNLOCK} 11-1`,
    setup: lockedPage,
    action: ({ process, page }, va) => ({ munlock: told(process.sys.munlock(va + 1, page - 1)) }),
    expected: { 'netbsd-2001': { munlock: 'ok' }, posix: { munlock: ['ok', 'EINVAL'] } },
  }),
];
