import { VM_PROT_ALL, VM_PROT_NONE, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import { O_RDONLY, O_RDWR, O_WRONLY } from '@uvmkit/machine';
import { MAP_FIXED, MAP_PRIVATE, MAP_SHARED, MS_SYNC } from '@uvmkit/uvm-core';
import { alias, type LiveRow, row } from '../row.ts';
import { type OpenedFile, RW, told, type World } from '../world.ts';

const OP = 'Open POSIX mmap';
const A = 0x61;
const B = 0x62;

/** What is stored through a shared mapping reaches the object. */
function reaches(id: string, object: string, make: (world: World) => OpenedFile): LiveRow {
  return row({
    id,
    sentence: `what is stored in a shared mapping of ${object} reaches it, and what is in it is loaded`,
    source: `${OP} ${id.slice('OP-MMAP-'.length)}`,
    setup: make,
    action: (world, { file, fd }) => {
      const { process, page } = world;
      const mapped = process.sys.mmap(0, page, RW, MAP_SHARED, fd);
      const before = process.load8(mapped.value);
      process.store8(mapped.value, A);
      return {
        mmap: told(mapped),
        before,
        'read(2) gives': world.pread(fd, 0, 1)[0]!,
        fsync: told(process.sys.fsync(fd)),
        'on disk': file.onDisk(0, 1)[0]!,
      };
    },
    expected: { mmap: 'ok', before: 0, 'read(2) gives': A, fsync: 'ok', 'on disk': A },
  });
}

/** A byte of an object before and after someone wrote to a mapping of it. */
function changes(world: World, { fd }: OpenedFile, flags: number): boolean {
  const { process, page } = world;
  const va = world.map(fd, page, RW, flags);
  process.store8(va, B);
  world.must('msync', process.sys.msync(va, page, MS_SYNC));
  world.must('munmap', process.sys.munmap(va, page));
  return process.load8(world.map(fd, page, VM_PROT_READ, MAP_SHARED)) === B;
}

/** Whether a child that maps the object anew sees what the parent wrote to its mapping. */
function childSees(world: World, { fd }: OpenedFile, flags: number): boolean {
  const { page } = world;
  world.process.store8(world.map(fd, page, RW, flags), B);
  const child = world.fork();
  return child.load8(world.map(fd, page, VM_PROT_READ, MAP_SHARED, child)) === B;
}

const file1 = (world: World): OpenedFile => world.file(world.page);
const shm1 = (world: World): OpenedFile => world.shm(world.page);

const [reachesFile, reachesShm] = [
  reaches('OP-MMAP-1-1', 'a file', file1),
  reaches('OP-MMAP-1-2', 'a shared memory object', shm1),
];

const writableRefused = row({
  id: 'OP-MMAP-6-4',
  sentence: 'a file open for reading cannot be mapped shared and writable',
  source: `${OP} 6-4`,
  setup: (world) => world.file(world.page, O_RDONLY),
  action: ({ process, page }, { fd }) => ({
    mmap: told(process.sys.mmap(0, page, VM_PROT_WRITE, MAP_SHARED, fd)),
  }),
  expected: { mmap: 'EACCES' },
});

/** The Open POSIX rows on what a mapping shows, and what may be done to it. */
export const posixMmapRows: readonly LiveRow[] = [
  reachesFile,
  reachesShm,
  alias('OP-MMAP-16', 'mmap gives the address of what it mapped', `${OP} 16`, reachesFile),
  row({
    id: 'OP-MMAP-3-1',
    sentence: 'a fixed mapping replaces whole pages of what is there',
    source: `${OP} 3-1`,
    setup: (world) => {
      const { page, process } = world;
      const bytes = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
      const old = world.file(bytes(2 * page, A));
      const fresh = world.file(bytes(2 * page, B));
      const va = world.map(old.fd, page + 2, RW, MAP_SHARED);
      process.load8(va + page + 1);
      return { fd: fresh.fd, va };
    },
    action: ({ process, page }, { fd, va }) => {
      const mapped = process.sys.mmap(va, page + 1, RW, MAP_SHARED | MAP_FIXED, fd);
      return {
        mmap: told(mapped),
        'same address': mapped.value === va,
        'beyond the length, within the page': process.load8(va + page + 2),
      };
    },
    expected: {
      mmap: 'ok',
      'same address': true,
      'beyond the length, within the page': B,
    },
  }),
  row({
    id: 'OP-MMAP-5-1',
    sentence: 'every combination of rights can be mapped, or is not supported',
    source: `${OP} 5-1`,
    setup: (world) => world.file(world.page),
    action: ({ process, page }, { fd }) => {
      const answers = new Set<string>();
      for (let prot = VM_PROT_NONE; prot <= VM_PROT_ALL; prot++)
        for (const flags of [MAP_SHARED, MAP_PRIVATE])
          answers.add(told(process.sys.mmap(0, page, prot, flags, fd)));
      return { mmap: [...answers].join(' ') };
    },
    expected: { mmap: 'ok' },
  }),
  row({
    id: 'OP-MMAP-6-1',
    sentence: 'what is mapped for reading cannot be written',
    source: `${OP} 6-1`,
    setup: file1,
    action: (world, { fd }) => {
      const va = world.map(fd, world.page, VM_PROT_READ, MAP_SHARED);
      return { store: world.attempt(() => world.process.store8(va, B)) };
    },
    expected: { store: 'SIGSEGV' },
  }),
  row({
    id: 'OP-MMAP-6-2',
    sentence: 'what is mapped without rights cannot be read',
    source: `${OP} 6-2`,
    setup: file1,
    action: (world, { fd }) => {
      const va = world.map(fd, world.page, VM_PROT_NONE, MAP_SHARED);
      return { load: world.attempt(() => world.process.load8(va)) };
    },
    expected: { load: 'SIGSEGV' },
  }),
  row({
    id: 'OP-MMAP-6-3',
    sentence: 'what is mapped without rights cannot be written',
    source: `${OP} 6-3`,
    setup: file1,
    action: (world, { fd }) => {
      const va = world.map(fd, world.page, VM_PROT_NONE, MAP_SHARED);
      return { store: world.attempt(() => world.process.store8(va, B)) };
    },
    expected: { store: 'SIGSEGV' },
  }),
  writableRefused,
  row({
    id: 'OP-MMAP-6-5',
    sentence: 'a file open for reading can be mapped private and writable',
    source: `${OP} 6-5`,
    setup: (world) => world.file(world.page, O_RDONLY),
    action: ({ process, page }, { fd }) => ({
      mmap: told(process.sys.mmap(0, page, VM_PROT_WRITE, MAP_PRIVATE, fd)),
    }),
    expected: { mmap: 'ok' },
  }),
  row({
    id: 'OP-MMAP-6-6',
    sentence: 'a file open for writing only cannot be mapped for reading',
    source: `${OP} 6-6`,
    setup: (world) => world.file(world.page, O_WRONLY),
    action: ({ process, page }, { fd }) => ({
      shared: told(process.sys.mmap(0, page, VM_PROT_READ, MAP_SHARED, fd)),
      private: told(process.sys.mmap(0, page, VM_PROT_READ, MAP_PRIVATE, fd)),
    }),
    expected: { shared: 'EACCES', private: 'EACCES' },
  }),
  alias('OP-MMAP-17', 'what the descriptor does not allow is EACCES', `${OP} 17`, writableRefused),
  row({
    id: 'OP-MMAP-7-1',
    sentence: 'what was written to a shared mapping is there when the file is mapped again',
    source: `${OP} 7-1`,
    setup: file1,
    action: (world, opened) => ({ 'change is there': changes(world, opened, MAP_SHARED) }),
    expected: { 'change is there': true },
  }),
  row({
    id: 'OP-MMAP-7-2',
    sentence: 'what was written to a private mapping is not in the file',
    source: `${OP} 7-2`,
    setup: file1,
    action: (world, opened) => ({ 'change is there': changes(world, opened, MAP_PRIVATE) }),
    expected: { 'change is there': false },
  }),
  row({
    id: 'OP-MMAP-7-3',
    sentence:
      'what a parent wrote to a private mapping of an object its child does not find in the object',
    source: `${OP} 7-3`,
    setup: shm1,
    action: (world, opened) => ({ 'child sees it': childSees(world, opened, MAP_PRIVATE) }),
    expected: { 'child sees it': false },
  }),
  row({
    id: 'OP-MMAP-7-4',
    sentence: 'what a parent wrote to a shared mapping of an object its child finds in the object',
    source: `${OP} 7-4`,
    setup: shm1,
    action: (world, opened) => ({ 'child sees it': childSees(world, opened, MAP_SHARED) }),
    expected: { 'child sees it': true },
  }),
  row({
    id: 'OP-MMAP-10-1',
    sentence: 'nothing is ever mapped at address 0 unasked',
    source: `${OP} 10-1`,
    setup: file1,
    action: (world, { fd }) => {
      let atZero = 0;
      for (let i = 0; i < 100; i++) {
        const va = world.map(fd, world.page, RW, MAP_SHARED);
        if (va === 0) atZero++;
        world.must('munmap', world.process.sys.munmap(va, world.page));
      }
      return { 'times at 0': atZero };
    },
    expected: { 'times at 0': 0 },
  }),
  row({
    id: 'OP-MMAP-12-1',
    sentence: 'a file without a name or a descriptor lives as long as it is mapped',
    source: `${OP} 12-1`,
    setup: (world) => {
      const opened = world.file(new Uint8Array(world.page).fill(A));
      return { ...opened, va: world.map(opened.fd, world.page, RW, MAP_SHARED) };
    },
    action: ({ process, page }, { file, name, fd, va }) => {
      const unlink = told(process.sys.unlink(name));
      const close = told(process.sys.close(fd));
      const load = process.load8(va);
      process.store8(va, B);
      return {
        unlink,
        close,
        load,
        'load what was stored': process.load8(va),
        msync: told(process.sys.msync(va, page, MS_SYNC)),
        'has blocks': file.allocated > 0,
        munmap: told(process.sys.munmap(va, page)),
        'has blocks after munmap': file.allocated > 0,
      };
    },
    expected: {
      unlink: 'ok',
      close: 'ok',
      load: A,
      'load what was stored': B,
      msync: 'ok',
      'has blocks': true,
      munmap: 'ok',
      'has blocks after munmap': false,
    },
  }),
  row({
    id: 'OP-MMAP-13-1',
    sentence: 'a load from a mapping marks the time of access',
    source: `${OP} 13-1`,
    setup: (world) => {
      const { file, fd } = world.file(world.page);
      return { file, va: world.map(fd, world.page, RW, MAP_SHARED) };
    },
    action: ({ process }, { file, va }) => {
      const before = file.accessed;
      process.load8(va);
      return { marked: file.accessed > before };
    },
    expected: { marked: true },
  }),
  row({
    id: 'OP-MMAP-14-1',
    sentence: 'what is written out of a mapping marks the time of change',
    source: `${OP} 14-1`,
    setup: (world) => {
      const { file, fd } = world.file(world.page);
      return { file, va: world.map(fd, world.page, RW, MAP_SHARED) };
    },
    action: ({ process, page }, { file, va }) => {
      const before = file.modified;
      process.store8(va, B);
      const msync = told(process.sys.msync(va, page, MS_SYNC));
      return { msync, marked: file.modified > before };
    },
    expected: { msync: 'ok', marked: true },
  }),
  row({
    id: 'OP-MMAP-27-1',
    sentence: 'private and fixed mappings are supported',
    source: `${OP} 27-1`,
    setup: (world) => {
      const { fd } = world.file(world.page, O_RDWR);
      const va = world.map(fd, world.page, RW, MAP_SHARED);
      return { fd, va };
    },
    action: ({ process, page }, { fd, va }) => ({
      private: told(process.sys.mmap(0, page, RW, MAP_PRIVATE, fd)),
      'shared and fixed': told(process.sys.mmap(va, page, RW, MAP_SHARED | MAP_FIXED, fd)),
      'private and fixed': told(process.sys.mmap(va, page, RW, MAP_PRIVATE | MAP_FIXED, fd)),
    }),
    expected: { private: 'ok', 'shared and fixed': 'ok', 'private and fixed': 'ok' },
  }),
];
