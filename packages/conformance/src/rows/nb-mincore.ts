import { VM_PROT_NONE, VM_PROT_READ } from '@uvmkit/pmap';
import { MADV_FREE, MAP_SHARED, MCL_CURRENT, MCL_FUTURE } from '@uvmkit/uvm-core';
import { O_RDONLY } from '@uvmkit/machine';
import { type LiveRow, row } from '../row.ts';
import { told, type World } from '../world.ts';

const ATF = 'NetBSD ATF t_mincore';
const PAGES = 128;

function lockEverything(world: World): void {
  world.must('mlockall', world.process.sys.mlockall(MCL_CURRENT | MCL_FUTURE));
}

/** NetBSD's own tests of mincore(2). MAP_WIRED is later than 2001: mmap and mlock stand for it. */
export const mincoreRows: readonly LiveRow[] = [
  row({
    id: 'NB-MINC-01',
    sentence: 'nothing cannot be asked for',
    source: `${ATF}, mincore_err`,
    setup: (world) => ({ va: world.anon(1), vec: world.anon(1) }),
    action: ({ process }, { va, vec }) => ({ mincore: told(process.sys.mincore(va, 0, vec)) }),
    expected: { mincore: 'EINVAL' },
  }),
  row({
    id: 'NB-MINC-02',
    sentence: 'nothing is mapped at address 0',
    source: `${ATF}, mincore_err`,
    setup: (world) => world.anon(1),
    action: ({ process, page }, vec) => ({ mincore: told(process.sys.mincore(0, page, vec)) }),
    expected: { mincore: 'ENOMEM' },
  }),
  row({
    id: 'NB-MINC-03',
    sentence: 'the answer must have a place to go to',
    source: `${ATF}, mincore_err`,
    setup: (world) => world.anon(1),
    action: ({ process, page, highest }, va) => ({
      mincore: told(process.sys.mincore(va, page, highest)),
    }),
    expected: { mincore: 'EFAULT' },
  }),
  row({
    id: 'NB-MINC-04',
    sentence: 'pages of a file that are locked can be unmapped, and are not locked any more',
    source: `${ATF}, mincore_resid`,
    setup: (world) => {
      const { fd } = world.file(5 * world.page, O_RDONLY);
      return world.map(fd, 5 * world.page, VM_PROT_READ, MAP_SHARED);
    },
    action: (world, va) => {
      const { process, page } = world;
      const mlock = told(process.sys.mlock(va, 5 * page));
      const resident = world.resident(va, 5);
      const munmap = told(process.sys.munmap(va, 5 * page));
      return { mlock, resident, munmap, 'pages locked': world.lockedPages() };
    },
    expected: { mlock: 'ok', resident: 5, munmap: 'ok', 'pages locked': 0 },
  }),
  row({
    id: 'NB-MINC-05',
    sentence: 'memory that was mapped locked is resident at once',
    source: `${ATF}, mincore_resid`,
    setup: (world) => world.anon(PAGES),
    action: (world, va) => ({
      mlock: told(world.process.sys.mlock(va, PAGES * world.page)),
      resident: world.resident(va, PAGES),
    }),
    expected: { mlock: 'ok', resident: PAGES },
  }),
  row({
    id: 'NB-MINC-06',
    sentence: 'memory that was never touched is not resident',
    source: `${ATF}, mincore_resid`,
    setup: (world) => world.anon(PAGES),
    action: (world, va) => ({ resident: world.resident(va, PAGES) }),
    expected: { resident: 0 },
  }),
  row({
    id: 'NB-MINC-07',
    sentence: 'mlockall makes everything resident',
    source: `${ATF}, mincore_resid`,
    setup: (world) => world.anon(PAGES),
    action: (world, va) => ({
      mlockall: told(world.process.sys.mlockall(MCL_CURRENT | MCL_FUTURE)),
      resident: world.resident(va, PAGES),
    }),
    expected: { mlockall: 'ok', resident: PAGES },
  }),
  row({
    id: 'NB-MINC-08',
    sentence: 'under MCL_FUTURE new memory is resident at once, unless it has no rights',
    source: `${ATF}, mincore_resid`,
    setup: lockEverything,
    action: (world) => ({
      readable: world.resident(world.anon(PAGES, VM_PROT_READ), PAGES),
      'without rights': world.resident(world.anon(PAGES, VM_PROT_NONE), PAGES),
    }),
    expected: { readable: PAGES, 'without rights': 0 },
  }),
  row({
    id: 'NB-MINC-09',
    sentence: 'under MCL_FUTURE memory becomes resident when it is given rights',
    source: `${ATF}, mincore_resid; OpenBSD regress misc`,
    setup: (world) => {
      lockEverything(world);
      return world.anon(PAGES, VM_PROT_NONE);
    },
    action: (world, va) => ({
      mprotect: told(world.process.sys.mprotect(va, PAGES * world.page, VM_PROT_READ)),
      resident: world.resident(va, PAGES),
    }),
    expected: { mprotect: 'ok', resident: PAGES },
  }),
  row({
    id: 'NB-MINC-10',
    sentence: 'what was locked and is not any more can be freed',
    source: `${ATF}, mincore_resid`,
    setup: (world) => {
      lockEverything(world);
      return world.anon(PAGES, VM_PROT_READ);
    },
    action: (world, va) => ({
      munlockall: told(world.process.sys.munlockall()),
      madvise: told(world.process.sys.madvise(va, PAGES * world.page, MADV_FREE)),
      resident: world.resident(va, PAGES),
    }),
    expected: { munlockall: 'ok', madvise: 'ok', resident: 0 },
  }),
  row({
    id: 'NB-MINC-11',
    sentence: 'what was written can be freed',
    source: `${ATF}, mincore_resid`,
    setup: (world) => {
      const va = world.anon(PAGES);
      world.fill(va, PAGES * world.page, 1);
      return va;
    },
    action: (world, va) => {
      const before = world.resident(va, PAGES);
      const madvise = told(world.process.sys.madvise(va, PAGES * world.page, MADV_FREE));
      return { before, madvise, after: world.resident(va, PAGES) };
    },
    expected: { before: PAGES, madvise: 'ok', after: 0 },
  }),
  row({
    id: 'NB-MINC-12',
    sentence:
      'pages of a System V segment are resident once they are written; freeing them may do nothing',
    source: `${ATF}, mincore_shmseg`,
    setup: (world) => world.segment(PAGES),
    action: (world, va) => {
      const before = world.resident(va, PAGES);
      world.fill(va, PAGES * world.page, 1);
      const written = world.resident(va, PAGES);
      const madvise = told(world.process.sys.madvise(va, PAGES * world.page, MADV_FREE));
      return { before, written, madvise };
    },
    expected: { before: 0, written: PAGES, madvise: 'ok' },
  }),
];
