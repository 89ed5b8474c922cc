import { MAP_PRIVATE, MAP_SHARED } from '@uvmkit/uvm-core';
import { type LiveRow, row } from '../row.ts';
import { type OpenedFile, RW, told, type World } from '../world.ts';

const OP = 'Open POSIX munmap';
const A = 0x61;

/** What was unmapped is not there any more. */
function gone(id: string, object: string, make: (world: World) => OpenedFile): LiveRow {
  return row({
    id,
    sentence: `a mapping of ${object} that was removed cannot be touched`,
    source: `${OP} ${id.slice('OP-MUNMAP-'.length)}`,
    setup: (world) => {
      const va = world.map(make(world).fd, 2 * world.page, RW, MAP_SHARED);
      world.process.store8(va, A);
      return va;
    },
    action: (world, va) => {
      const { process, page } = world;
      return {
        munmap: told(process.sys.munmap(va, page)),
        'load from its first byte': world.attempt(() => process.load8(va)),
        'store to its last byte': world.attempt(() => process.store8(va + page - 1, A)),
        'load from the next page': world.attempt(() => process.load8(va + page)),
      };
    },
    expected: {
      munmap: 'ok',
      'load from its first byte': 'SIGSEGV',
      'store to its last byte': 'SIGSEGV',
      'load from the next page': 0,
    },
  });
}

/** An address within a page. */
function unaligned(id: string): LiveRow {
  return row({
    id,
    sentence: 'an address within a page is refused; NetBSD removes that page too',
    source: `${OP} ${id.slice('OP-MUNMAP-'.length)}`,
    setup: (world) => world.anon(2),
    action: (world, va) => {
      const { process, page } = world;
      return {
        munmap: told(process.sys.munmap(va + 1, page)),
        'first page': world.attempt(() => process.load8(va)),
        'second page': world.attempt(() => process.load8(va + page)),
      };
    },
    expected: {
      // One byte of the second page is within the length.
      'netbsd-2001': { munmap: 'ok', 'first page': 'SIGSEGV', 'second page': 'SIGSEGV' },
      posix: { munmap: 'EINVAL', 'first page': 0, 'second page': 0 },
    },
  });
}

/** The Open POSIX rows on munmap. */
export const posixMunmapRows: readonly LiveRow[] = [
  gone('OP-MUNMAP-1-1', 'a file', (world) => world.file(2 * world.page)),
  gone('OP-MUNMAP-1-2', 'a shared memory object', (world) => world.shm(2 * world.page)),
  row({
    id: 'OP-MUNMAP-2-1',
    sentence: 'where nothing is mapped there is nothing to do; NetBSD refuses',
    source: `${OP} 2-1`,
    setup: (world) => {
      const va = world.anon(3);
      world.must('munmap', world.process.sys.munmap(va + world.page, world.page));
      return va;
    },
    action: (world, va) => {
      const { process, page } = world;
      return {
        munmap: told(process.sys.munmap(va + page, page)),
        'page before': world.attempt(() => process.load8(va)),
        'page behind': world.attempt(() => process.load8(va + 2 * page)),
      };
    },
    expected: {
      'netbsd-2001': { munmap: 'EINVAL', 'page before': 0, 'page behind': 0 },
      posix: { munmap: 'ok', 'page before': 0, 'page behind': 0 },
    },
  }),
  unaligned('OP-MUNMAP-3-1'),
  row({
    id: 'OP-MUNMAP-4-1',
    sentence: 'what was written to a private mapping goes with it',
    source: `${OP} 4-1`,
    setup: (world) => world.file(world.page),
    action: (world, { fd }) => {
      const { process, page } = world;
      const va = world.map(fd, page, RW, MAP_PRIVATE);
      process.store8(va, A);
      const munmap = told(process.sys.munmap(va, page));
      return { munmap, 'byte mapped again': process.load8(world.map(fd, page, RW, MAP_PRIVATE)) };
    },
    expected: { munmap: 'ok', 'byte mapped again': 0 },
  }),
  row({
    id: 'OP-MUNMAP-5',
    sentence: 'locks go with the mapping',
    source: `${OP}, assertion 5, which the suite leaves out`,
    setup: (world) => {
      const va = world.anon(4);
      world.must('mlock', world.process.sys.mlock(va, 4 * world.page));
      return va;
    },
    action: (world, va) => {
      const { process, page } = world;
      const before = world.wiredPages;
      return {
        'munmap of the middle': told(process.sys.munmap(va + page, 2 * page)),
        'pages still locked': world.lockedPages(),
        'pages let go': before - world.wiredPages,
      };
    },
    expected: { 'munmap of the middle': 'ok', 'pages still locked': 2, 'pages let go': 2 },
  }),
  row({
    id: 'OP-MUNMAP-8-1',
    sentence: 'nothing can be unmapped outside of user space',
    source: `${OP} 8-1`,
    setup: (world) => world.userMax,
    action: ({ process, page }, userMax) => ({
      'beyond it': told(process.sys.munmap(userMax, page)),
      'across its end': told(process.sys.munmap(userMax - page, 2 * page)),
    }),
    expected: { 'beyond it': 'EINVAL', 'across its end': 'EINVAL' },
  }),
  row({
    id: 'OP-MUNMAP-9-1',
    sentence: 'unmapping nothing is refused; NetBSD has nothing against it',
    source: `${OP} 9-1`,
    setup: (world) => world.anon(1),
    action: (world, va) => ({
      munmap: told(world.process.sys.munmap(va, 0)),
      'page there': world.attempt(() => world.process.load8(va)),
    }),
    expected: {
      'netbsd-2001': { munmap: 'ok', 'page there': 0 },
      posix: { munmap: 'EINVAL', 'page there': 0 },
    },
  }),
  unaligned('OP-MUNMAP-10-1'),
];
