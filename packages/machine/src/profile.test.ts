import {
  EACCES,
  EAGAIN,
  EBADF,
  EBUSY,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOMEM,
  EOVERFLOW,
  EPERM,
} from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import {
  MAP_ANON,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MCL_FUTURE,
  MS_INVALIDATE,
  MS_SYNC,
} from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { lockedPages } from '../test/wired.ts';
import { Machine } from './machine.ts';
import { O_RDONLY, O_RDWR, O_WRONLY } from './open-file.ts';
import type { Process } from './process.ts';
import type { ProfileName } from './profile.ts';

const PAGE = 4096;
const { userMax } = i386().layout;

/** A process with a file of 4 pages, f, and 4 pages of memory of which the third is missing. */
function setup(profile: ProfileName, limits = {}) {
  const machine = new Machine({ port: i386(), memory: 8 << 20, profile });
  machine.fs.create('f', new Uint8Array(4 * PAGE).fill(7));
  const process = machine.spawn({ limits });
  const va = process.sys.mmap(0, 4 * PAGE, 3, MAP_ANON | MAP_PRIVATE).value;
  expect(process.sys.munmap(va + 2 * PAGE, PAGE).error).toBe(0);
  return { machine, process, va };
}

type Setup = ReturnType<typeof setup>;
const open = (process: Process, flags: number): number => process.sys.open('f', flags).value;

/** What is asked, and the error of either profile. */
const ROWS: readonly (readonly [
  string,
  netbsd: number,
  posix: number,
  ask: (setup: Setup) => { error: number },
])[] = [
  ['maps no bytes', 0, EINVAL, ({ process: p }) => p.sys.mmap(0, 0, 3, MAP_ANON | MAP_PRIVATE)],
  [
    'maps a file at an offset within a page',
    0,
    EINVAL,
    ({ process: p }) => p.sys.mmap(0, 10, 1, MAP_SHARED, open(p, O_RDONLY), 10),
  ],
  [
    'maps with a hint that leaves no room above it',
    ENOMEM,
    0,
    ({ process: p }) => p.sys.mmap(userMax, PAGE, 3, MAP_ANON | MAP_PRIVATE),
  ],
  ['protects what wraps around', 0, EINVAL, ({ process: p }) => p.sys.mprotect(2 ** 32 - 1, 1, 1)],
  ['maps neither shared nor private', 0, EINVAL, ({ process: p }) => p.sys.mmap(0, 1, 3, MAP_ANON)],
  [
    'maps shared and private',
    EINVAL,
    EINVAL,
    ({ process: p }) => p.sys.mmap(0, 1, 3, MAP_ANON | MAP_PRIVATE | MAP_SHARED),
  ],
  [
    'maps a file behind the last offset there is',
    EINVAL,
    EOVERFLOW,
    ({ process: p }) => p.sys.mmap(0, PAGE, 1, MAP_SHARED, open(p, O_RDONLY), 2 ** 53 - PAGE),
  ],
  [
    'maps behind the end of user space',
    EINVAL,
    ENOMEM,
    ({ process: p }) => p.sys.mmap(userMax, PAGE, 3, MAP_ANON | MAP_PRIVATE | MAP_FIXED),
  ],
  [
    'maps at a fixed address within a page',
    EINVAL,
    EINVAL,
    ({ process: p, va }) => p.sys.mmap(va + 1, PAGE, 3, MAP_ANON | MAP_PRIVATE | MAP_FIXED),
  ],
  [
    'maps a file that is open for writing only, to write to it privately',
    0,
    EACCES,
    ({ process: p }) => p.sys.mmap(0, PAGE, 2, MAP_PRIVATE, open(p, O_WRONLY)),
  ],
  [
    'maps nothing that is open',
    EBADF,
    EBADF,
    ({ process: p }) => p.sys.mmap(0, 3, 1, MAP_PRIVATE, 9),
  ],
  [
    'maps a pipe',
    ENODEV,
    ENODEV,
    ({ process: p }) => p.sys.mmap(0, 3, 1, MAP_SHARED, p.sys.pipe().value),
  ],
  ['unmaps no bytes', 0, EINVAL, ({ process: p, va }) => p.sys.munmap(va, 0)],
  ['unmaps from within a page', 0, EINVAL, ({ process: p, va }) => p.sys.munmap(va + 9, 10)],
  ['unmaps a hole', EINVAL, 0, ({ process: p, va }) => p.sys.munmap(va, 4 * PAGE)],
  [
    'unmaps what is not user space',
    EINVAL,
    EINVAL,
    ({ process: p }) => p.sys.munmap(userMax, PAGE),
  ],
  ['protects a hole', 0, ENOMEM, ({ process: p, va }) => p.sys.mprotect(va, 4 * PAGE, 1)],
  ['syncs a hole', EFAULT, ENOMEM, ({ process: p, va }) => p.sys.msync(va, 4 * PAGE, MS_SYNC)],
  ['syncs from within a page', 0, EINVAL, ({ process: p, va }) => p.sys.msync(va + 1, 9, MS_SYNC)],
  [
    'syncs no bytes of nothing',
    EINVAL,
    0,
    ({ process: p, va }) => p.sys.msync(va + 2 * PAGE, 0, MS_SYNC),
  ],
  [
    'throws locked pages away',
    0,
    EBUSY,
    ({ process: p, va }) => {
      expect(p.sys.mlock(va, PAGE).error).toBe(0);
      return p.sys.msync(va, 2 * PAGE, MS_INVALIDATE);
    },
  ],
  [
    'locks a hole at the start',
    EFAULT,
    ENOMEM,
    ({ process: p, va }) => p.sys.mlock(va + 2 * PAGE, PAGE),
  ],
  ['locks a hole further on', EINVAL, ENOMEM, ({ process: p, va }) => p.sys.mlock(va, 4 * PAGE)],
  ['locks what wraps', EINVAL, EINVAL, ({ process: p }) => p.sys.mlock(2 ** 32 - 1, PAGE)],
  ['locks LONG_MAX bytes', EINVAL, ENOMEM, ({ process: p, va }) => p.sys.mlock(va, 2 ** 31 - 1)],
  ['unlocks a hole', EFAULT, ENOMEM, ({ process: p, va }) => p.sys.munlock(va + 2 * PAGE, PAGE)],
  ['unlocks what is not locked', EINVAL, 0, ({ process: p, va }) => p.sys.munlock(va, 2 * PAGE)],
];

describe.each(['netbsd-2001', 'posix'] as const)('%s', (profile) => {
  it.each(ROWS)('%s', (_, netbsd, posix, ask) => {
    const { error } = ask(setup(profile));
    expect(error).toBe(profile === 'posix' ? posix : netbsd);
  });
});

describe('the profiles', () => {
  it('refuse a lock that is not allowed at all, or too large', () => {
    for (const [profile, none] of [
      ['netbsd-2001', EAGAIN],
      ['posix', EPERM],
    ] as const) {
      const { process, va } = setup(profile, { memlock: 0 });
      expect(process.sys.mlock(va, PAGE).error).toBe(none);
      const other = setup(profile, { memlock: PAGE });
      expect(other.process.sys.mlock(other.va, 2 * PAGE).error).toBe(EAGAIN);
      expect(other.process.sys.mlock(other.va, PAGE).error).toBe(0);
    }
  });

  it('refuse a mapping that would be locked beyond the limit', () => {
    for (const [profile, error] of [
      ['netbsd-2001', ENOMEM],
      ['posix', EAGAIN],
    ] as const) {
      const { process } = setup(profile, { memlock: 4 * PAGE });
      expect(process.sys.mlockall(MCL_FUTURE).error).toBe(0);
      expect(process.sys.mmap(0, 16 * PAGE, 3, MAP_ANON | MAP_PRIVATE).error).toBe(error);
      expect(process.sys.mmap(0, PAGE, 3, MAP_ANON | MAP_PRIVATE).error).toBe(0);
    }
  });

  it('unlock, under posix, what is locked of a range that is not all locked', () => {
    const { machine, process, va } = setup('posix');
    expect(process.sys.mlock(va + PAGE, PAGE).error).toBe(0);
    expect(process.sys.munlock(va, 2 * PAGE).error).toBe(0);
    expect(lockedPages(machine)).toBe(0);
  });

  it('both leave a shared file mapping that is only half a page as it is', () => {
    for (const profile of ['netbsd-2001', 'posix'] as const) {
      const { process } = setup(profile);
      const { value: va } = process.sys.mmap(0, 3, 1, MAP_SHARED, open(process, O_RDWR));
      expect(process.load8(va + PAGE - 1)).toBe(7);
    }
  });
});
