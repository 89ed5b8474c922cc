import { type Va, VM_PROT_READ } from '@uvmkit/pmap';
import { MAP_ANON, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, MCL_FUTURE } from '@uvmkit/uvm-core';
import { type LiveRow, row } from '../row.ts';
import { RW, told } from '../world.ts';

const OP = 'Open POSIX mmap';
const BAD_FD = 1023;

/** The Open POSIX rows on why mmap fails. */
export const posixMmapErrorRows: readonly LiveRow[] = [
  row({
    id: 'OP-MMAP-18-1',
    sentence: 'under MCL_FUTURE no more can be mapped than may be locked',
    source: `${OP} 18-1`,
    setup: (world) => {
      world.must('mlockall', world.process.sys.mlockall(MCL_FUTURE));
      world.limit({ memlock: world.page });
    },
    action: (world) => {
      const { process, page } = world;
      const before = process.space.map.size;
      const mmap = told(process.sys.mmap(0, 2 * page, RW, MAP_ANON | MAP_PRIVATE));
      return { mmap, 'bytes mapped': process.space.map.size - before };
    },
    expected: {
      'netbsd-2001': { mmap: 'ENOMEM', 'bytes mapped': 0 },
      posix: { mmap: 'EAGAIN', 'bytes mapped': 0 },
    },
  }),
  row({
    id: 'OP-MMAP-19-1',
    sentence: 'a descriptor that is not open cannot be mapped',
    source: `${OP} 19-1`,
    setup: (world) => {
      const { fd } = world.file(world.page);
      world.must('close', world.process.sys.close(fd));
      return fd;
    },
    action: ({ process, page }, fd) => ({
      'closed descriptor': told(process.sys.mmap(0, page, VM_PROT_READ, MAP_SHARED, fd)),
      'descriptor never open': told(process.sys.mmap(0, page, VM_PROT_READ, MAP_SHARED, BAD_FD)),
    }),
    expected: { 'closed descriptor': 'EBADF', 'descriptor never open': 'EBADF' },
  }),
  row({
    id: 'OP-MMAP-21-1',
    sentence: 'a mapping is shared or private; NetBSD takes what is neither for private',
    source: `${OP} 21-1`,
    setup: (world) => world.file(world.page),
    action: (world, { fd }) => {
      const { process, page } = world;
      const mapped = process.sys.mmap(0, page, RW, 0, fd);
      if (mapped.error !== 0) return { mmap: told(mapped) };
      process.store8(mapped.value, 1);
      return { mmap: 'ok', 'file sees a store': world.pread(fd, 0, 1)[0] !== 0 };
    },
    expected: {
      'netbsd-2001': { mmap: 'ok', 'file sees a store': false },
      posix: { mmap: 'EINVAL' },
    },
  }),
  row({
    id: 'OP-MMAP-23-1',
    sentence: 'a pipe cannot be mapped',
    source: `${OP} 23-1`,
    setup: (world) => {
      const pipe = world.process.sys.pipe();
      world.must('pipe', pipe);
      return [pipe.value, pipe.second] as const;
    },
    action: ({ process, page }, [one, other]) => ({
      'one end': told(process.sys.mmap(0, page, VM_PROT_READ, MAP_SHARED, one)),
      'the other': told(process.sys.mmap(0, page, VM_PROT_READ, MAP_PRIVATE, other)),
    }),
    expected: { 'one end': 'ENODEV', 'the other': 'ENODEV' },
  }),
  row({
    id: 'OP-MMAP-24-1',
    sentence: 'when the address space is full, nothing more can be mapped',
    source: `${OP} 24-1`,
    setup: (world) => world.file(world.page),
    action: ({ process, page, userMin, userMax }, { fd }) => {
      const length = Math.floor((userMax - userMin) / 16 / page) * page;
      const mapped: Va[] = [];
      let last = process.sys.mmap(0, length, VM_PROT_READ, MAP_SHARED, fd);
      for (let i = 0; i < 16 && last.error === 0; i++) {
        mapped.push(last.value);
        last = process.sys.mmap(0, length, VM_PROT_READ, MAP_SHARED, fd);
      }
      for (const va of mapped) process.sys.munmap(va, length);
      return { 'last mmap': told(last) };
    },
    expected: { 'last mmap': 'ENOMEM' },
  }),
  row({
    id: 'OP-MMAP-24-2',
    sentence:
      'no more can be mapped at a fixed address than RLIMIT_AS allows, or RLIMIT_DATA before there was that',
    source: `${OP} 24-2`,
    setup: (world) => {
      const va = world.anon(1);
      const limit = 64 * world.page;
      const { size } = world.process.space.map;
      world.limit(world.profile === 'posix' ? { addressSpace: size + limit } : { data: limit });
      return { va, length: limit + world.page };
    },
    action: ({ process }, { va, length }) => ({
      mmap: told(process.sys.mmap(va, length, RW, MAP_ANON | MAP_PRIVATE | MAP_FIXED)),
    }),
    expected: { mmap: 'ENOMEM' },
  }),
];
