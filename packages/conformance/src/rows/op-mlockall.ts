import {
  MAP_ANON,
  MAP_PRIVATE,
  MAP_SHARED,
  MCL_CURRENT,
  MCL_FUTURE,
  MS_INVALIDATE,
  MS_SYNC,
} from '@uvmkit/uvm-core';
import { bare, type LiveRow, row } from '../row.ts';
import { type OpenedFile, RW, told, type World } from '../world.ts';

const MLOCKALL = 'Open POSIX mlockall';
const MUNLOCKALL = 'Open POSIX munlockall';
const UNTESTED = 'which the suite leaves out';

/** The lock of an object shows in what msync answers. */
function busy(id: string, object: string, make: (world: World) => OpenedFile): LiveRow {
  return row({
    id,
    sentence: `MCL_CURRENT locks mappings of ${object}, and so they cannot be thrown away`,
    source: `${MLOCKALL} ${id.slice('OP-MLOCKALL-'.length)}`,
    about: {
      policies: ['wire', 'wiremax'],
      profiles: ['netbsd-2001'],
      reason: 'the panic is of the designs that find locked pages through the pmap',
    },
    setup: (world) => world.map(make(world).fd, world.page, RW, MAP_SHARED),
    action: (world, va) => {
      const { sys } = world.process;
      return {
        mlockall: told(sys.mlockall(MCL_CURRENT)),
        locked: world.locked(va),
        msync: told(sys.msync(va, world.page, MS_SYNC | MS_INVALIDATE)),
        munlockall: world.untilPanic(() => told(sys.munlockall())),
      };
    },
    expected: {
      // Nobody looked at locks there yet: the page went, and when it is to be unlocked the kernel finds no mapping of
      // it, or, where the pmap keeps wired mappings, no lock on it.
      'netbsd-2001': {
        mlockall: 'ok',
        locked: true,
        msync: 'ok',
        munlockall: [
          'panic: uvm_fault_unwire_locked: unwiring non-wired memory',
          'panic: uvm_pageunwire: wire count underflow',
        ],
      },
      posix: { mlockall: 'ok', locked: true, msync: 'EBUSY', munlockall: 'ok' },
    },
  });
}

function lockFuture(world: World): void {
  world.must('mlockall', world.process.sys.mlockall(MCL_FUTURE));
}

/** The Open POSIX rows on mlockall and munlockall. */
export const posixLockAllRows: readonly LiveRow[] = [
  busy('OP-MLOCKALL-3-6', 'a shared memory object', (world) => world.shm(world.page)),
  busy('OP-MLOCKALL-3-7', 'a file', (world) => world.file(world.page)),
  row({
    id: 'OP-MLOCKALL-4',
    sentence: 'under MCL_FUTURE what is mapped is locked',
    source: `${MLOCKALL}, assertion 4, ${UNTESTED}`,
    setup: lockFuture,
    action: (world) => ({ locked: world.locked(world.anon(8)) }),
    expected: { locked: true },
  }),
  row({
    id: 'OP-MLOCKALL-5',
    sentence: 'under MCL_FUTURE what is mapped is resident at once, of files too',
    source: `${MLOCKALL}, assertion 5, ${UNTESTED}`,
    setup: (world) => {
      lockFuture(world);
      return world.file(8 * world.page);
    },
    action: (world, { fd }) => ({
      anonymous: world.resident(world.anon(8), 8),
      file: world.resident(world.map(fd, 8 * world.page, RW, MAP_SHARED), 8),
    }),
    expected: { anonymous: 8, file: 8 },
  }),
  row({
    id: 'OP-MLOCKALL-6',
    sentence:
      'what would go over the limit under MCL_FUTURE is not mapped, and the lock stays in force',
    source: `${MLOCKALL}, assertion 6, ${UNTESTED}`,
    setup: (world) => {
      lockFuture(world);
      world.limit({ memlock: 4 * world.page });
    },
    action: (world) => {
      const { process, page } = world;
      const over = process.sys.mmap(0, 5 * page, RW, MAP_ANON | MAP_PRIVATE);
      const within = process.sys.mmap(0, 2 * page, RW, MAP_ANON | MAP_PRIVATE);
      return {
        'over the limit': told(over),
        'within it': told(within),
        'pages locked': world.lockedPages(),
      };
    },
    expected: {
      'netbsd-2001': { 'over the limit': 'ENOMEM', 'within it': 'ok', 'pages locked': 2 },
      posix: { 'over the limit': 'EAGAIN', 'within it': 'ok', 'pages locked': 2 },
    },
  }),
  row({
    id: 'OP-MLOCKALL-8-1',
    sentence: 'mlockall succeeds within the limit',
    source: `${MLOCKALL} 8-1`,
    setup: bare,
    action: ({ process }) => ({ mlockall: told(process.sys.mlockall(MCL_CURRENT)) }),
    expected: { mlockall: 'ok' },
  }),
  row({
    id: 'OP-MLOCKALL-10',
    sentence: 'mlockall that fails locks nothing more',
    source: `${MLOCKALL}, assertion 10, ${UNTESTED}`,
    setup: (world) => {
      const va = world.anon(8);
      world.must('mlock', world.process.sys.mlock(va, world.page));
      world.limit({ memlock: 4 * world.page });
    },
    action: (world) => ({
      mlockall: told(world.process.sys.mlockall(MCL_CURRENT)),
      'pages locked': world.lockedPages(),
      'pages wired': world.wiredPages,
    }),
    expected: { mlockall: 'ENOMEM', 'pages locked': 1, 'pages wired': 1 },
  }),
  row({
    id: 'OP-MLOCKALL-13-1',
    sentence: 'mlockall must be told what to lock',
    source: `${MLOCKALL} 13-1`,
    setup: bare,
    action: ({ process }) => ({ mlockall: told(process.sys.mlockall(0)) }),
    expected: { mlockall: 'EINVAL' },
  }),
  row({
    id: 'OP-MLOCKALL-13-2',
    sentence: 'mlockall refuses flags that nobody knows',
    source: `${MLOCKALL} 13-2`,
    setup: bare,
    action: ({ process }) => ({
      mlockall: told(process.sys.mlockall(~(MCL_CURRENT | MCL_FUTURE))),
    }),
    expected: { mlockall: 'EINVAL' },
  }),
  row({
    id: 'OP-MLOCKALL-15-1',
    sentence: 'mlockall may be a right of the superuser; NetBSD has a limit instead',
    source: `${MLOCKALL} 15-1`,
    setup: bare,
    action: ({ process }) => ({ mlockall: told(process.sys.mlockall(MCL_CURRENT)) }),
    expected: { 'netbsd-2001': { mlockall: 'ok' }, posix: { mlockall: ['ok', 'EPERM'] } },
  }),
  row({
    id: 'OP-MUNLOCKALL-1',
    sentence: 'after munlockall what is mapped is not locked any more',
    source: `${MUNLOCKALL}, assertion 1, ${UNTESTED}`,
    setup: lockFuture,
    action: (world) => ({
      'before it': world.locked(world.anon(1)),
      munlockall: told(world.process.sys.munlockall()),
      'after it': world.locked(world.anon(1)),
    }),
    expected: { 'before it': true, munlockall: 'ok', 'after it': false },
  }),
  row({
    id: 'OP-MUNLOCKALL-2',
    sentence: "munlockall leaves other processes' locks alone",
    source: `${MUNLOCKALL}, assertion 2, ${UNTESTED}`,
    setup: (world) => {
      const va = world.anon(2, RW, MAP_SHARED);
      const child = world.fork();
      for (const process of [world.process, child])
        world.must('mlock', process.sys.mlock(va, 2 * world.page));
      return child;
    },
    action: (world, child) => ({
      munlockall: told(world.process.sys.munlockall()),
      'own locked pages': world.lockedPages(),
      "the other's locked pages": world.lockedPages(child),
      'pages wired': world.wiredPages,
    }),
    expected: {
      munlockall: 'ok',
      'own locked pages': 0,
      "the other's locked pages": 2,
      'pages wired': 2,
    },
  }),
  row({
    id: 'OP-MUNLOCKALL-3',
    sentence: 'munlockall unlocks everything, however it was locked and how often',
    source: `${MUNLOCKALL}, assertion 3, ${UNTESTED}`,
    setup: (world) => {
      const va = world.anon(2);
      for (let i = 0; i < 2; i++) world.must('mlock', world.process.sys.mlock(va, world.page));
      world.must('mlockall', world.process.sys.mlockall(MCL_CURRENT));
    },
    action: (world) => ({
      'something locked': world.lockedPages() > 2,
      munlockall: told(world.process.sys.munlockall()),
      'pages locked': world.lockedPages(),
      'pages wired': world.wiredPages,
    }),
    expected: { 'something locked': true, munlockall: 'ok', 'pages locked': 0, 'pages wired': 0 },
  }),
  row({
    id: 'OP-MUNLOCKALL-5-1',
    sentence: 'munlockall succeeds, locks or none',
    source: `${MUNLOCKALL} 5-1`,
    setup: bare,
    action: ({ process }) => ({ munlockall: told(process.sys.munlockall()) }),
    expected: { munlockall: 'ok' },
  }),
];
