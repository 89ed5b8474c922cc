import { VM_PROT_NONE } from '@uvmkit/pmap';
import { bare, type LiveRow, row } from '../row.ts';
import { told } from '../world.ts';

const ATF = 'NetBSD ATF t_mlock';

/** NetBSD's own tests of mlock(2). MAP_WIRED is later than 2001: mmap and mlock stand for it. */
export const mlockRows: readonly LiveRow[] = [
  row({
    id: 'NB-MLOCK-01',
    sentence: 'locking parts of a page of the heap harms nothing',
    source: `${ATF}, mlock_clip (PR 44788)`,
    setup: (world) => world.heapPage(),
    action: ({ process, page }, va) => {
      let refused = 0;
      for (let i = page; i >= 1; i -= 1024) {
        if (process.sys.mlock(va, page - i).error !== 0) refused++;
        if (process.sys.munlock(va, page - i).error !== 0) refused++;
      }
      return { refused };
    },
    expected: { refused: 0 },
  }),
  row({
    id: 'NB-MLOCK-02',
    sentence: 'the page at address 0 cannot be locked',
    source: `${ATF}, mlock_err`,
    setup: bare,
    action: ({ process, page }) => ({
      mlock: told(process.sys.mlock(0, page)),
      munlock: told(process.sys.munlock(0, page)),
    }),
    expected: {
      // EINVAL where user space begins higher; uvm_map_pageable's own answer where nothing is mapped.
      'netbsd-2001': { mlock: ['EINVAL', 'EFAULT'], munlock: ['EINVAL', 'EFAULT'] },
      posix: { mlock: ['EINVAL', 'ENOMEM'], munlock: ['EINVAL', 'ENOMEM'] },
    },
  }),
  row({
    id: 'NB-MLOCK-03',
    sentence: 'a range that wraps around cannot be locked',
    source: `${ATF}, mlock_err`,
    setup: bare,
    action: ({ process, page, highest }) => ({
      mlock: told(process.sys.mlock(highest, page)),
      munlock: told(process.sys.munlock(highest, page)),
    }),
    expected: {
      'netbsd-2001': { mlock: 'EINVAL', munlock: 'EINVAL' },
      posix: { mlock: ['EINVAL', 'ENOMEM'], munlock: ['EINVAL', 'ENOMEM'] },
    },
  }),
  row({
    id: 'NB-MLOCK-04',
    sentence: 'what is not mapped cannot be locked',
    source: `${ATF}, mlock_err`,
    setup: (world) => world.heapPage() + world.page,
    action: ({ process, page }, va) => ({
      mlock: told(process.sys.mlock(va, page)),
      munlock: told(process.sys.munlock(va, page)),
    }),
    expected: {
      'netbsd-2001': { mlock: 'EFAULT', munlock: 'EFAULT' },
      posix: { mlock: 'ENOMEM', munlock: 'ENOMEM' },
    },
  }),
  row({
    id: 'NB-MLOCK-05',
    sentence: 'no more can be locked than RLIMIT_MEMLOCK allows',
    source: `${ATF}, mlock_limits`,
    setup: (world) => world.heapPage(),
    action: (world, va) => {
      const answers = new Set<string>();
      for (let length = world.page; length >= 2; length -= 100) {
        world.limit({ memlock: length - 1 });
        answers.add(told(world.process.sys.mlock(va, length)));
      }
      return { mlock: [...answers].join(' '), 'pages locked': world.lockedPages() };
    },
    expected: { mlock: 'EAGAIN', 'pages locked': 0 },
  }),
  row({
    id: 'NB-MLOCK-06',
    sentence:
      'memory that was mapped locked can be locked, unlocked and unmapped; then nothing is left to unlock',
    source: `${ATF}, mlock_mmap`,
    setup: (world) => {
      const va = world.anon(1);
      world.must('mlock', world.process.sys.mlock(va, world.page));
      return va;
    },
    action: ({ process, page }, va) => ({
      mlock: told(process.sys.mlock(va, page)),
      munlock: told(process.sys.munlock(va, page)),
      munmap: told(process.sys.munmap(va, page)),
      'munlock again': told(process.sys.munlock(va, page)),
    }),
    expected: {
      'netbsd-2001': { mlock: 'ok', munlock: 'ok', munmap: 'ok', 'munlock again': 'EFAULT' },
      posix: { mlock: 'ok', munlock: 'ok', munmap: 'ok', 'munlock again': 'ENOMEM' },
    },
  }),
  row({
    id: 'NB-MLOCK-07',
    sentence: 'a page without rights cannot be locked',
    source: `${ATF}, mlock_mmap`,
    setup: (world) => world.anon(1, VM_PROT_NONE),
    action: ({ process, page }, va) => ({ mlock: told(process.sys.mlock(va, page)) }),
    expected: {
      'netbsd-2001': { mlock: 'EINVAL' },
      // POSIX names ENOMEM and EAGAIN for what cannot be locked.
      posix: { mlock: ['EAGAIN', 'ENOMEM'] },
    },
  }),
  row({
    id: 'NB-MLOCK-08',
    sentence: 'locks do not nest: one munlock undoes a hundred',
    source: `${ATF}, mlock_nested`,
    setup: (world) => world.heapPage(),
    action: (world, va) => {
      const { process, page } = world;
      let refused = 0;
      for (let i = 0; i < 100; i++) if (process.sys.mlock(va, page).error !== 0) refused++;
      const locked = world.locked(va);
      const munlock = told(process.sys.munlock(va, page));
      return { refused, locked, munlock, 'still locked': world.locked(va) };
    },
    expected: { refused: 0, locked: true, munlock: 'ok', 'still locked': false },
  }),
];
