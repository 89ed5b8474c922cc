import { VM_PROT_READ } from '@uvmkit/pmap';
import { MAP_FIXED, MAP_PRIVATE, MAP_SHARED, MS_INVALIDATE, MS_SYNC } from '@uvmkit/uvm-core';
import { alias, type LiveRow, row } from '../row.ts';
import { type OpenedFile, RW, told, type World } from '../world.ts';

const OP = 'Open POSIX mmap';
const B = 0x62;

/** The second page of a mapping of half a page. */
function beyondEnd(id: string, object: string, make: (world: World) => OpenedFile): LiveRow {
  return row({
    id,
    sentence: `a page that lies wholly beyond the end of ${object} is a bus error`,
    source: `${OP} ${id.slice('OP-MMAP-'.length)}`,
    setup: (world) => world.map(make(world).fd, 2 * world.page, RW, MAP_SHARED),
    action: (world, va) => ({
      'load in the last page': world.attempt(() => world.process.load8(va)),
      'load beyond it': world.attempt(() => world.process.load8(va + world.page)),
    }),
    expected: {
      'netbsd-2001': { 'load in the last page': 0, 'load beyond it': 'SIGSEGV' },
      posix: { 'load in the last page': 0, 'load beyond it': 'SIGBUS' },
    },
  });
}

/** The rest of the last page of an object: zeroes, and never the object's. */
function tail(
  id: string,
  object: string,
  sentence: string,
  make: (world: World) => OpenedFile,
): LiveRow {
  return row({
    id,
    sentence: `${sentence} the end of ${object}`,
    source: `${OP} ${id.slice('OP-MMAP-'.length)}`,
    setup: make,
    action: (world, { file, fd }) => {
      const { process, page } = world;
      const at = page / 2 + 1;
      let found = -1;
      const child = world.child(function* (t) {
        const { value: va } = yield* t.mmap(0, page, RW, MAP_SHARED, fd, 0);
        found = yield* t.load8(va + at);
        yield* t.store8(va + at, B);
        yield* t.msync(va, page, MS_SYNC | MS_INVALIDATE);
      });
      return {
        child,
        'tail the child found': found,
        'size afterwards': file.size === page / 2,
        'read(2) beyond the end': world.pread(fd, page / 2, page).length,
        'tail mapped again': process.load8(world.map(fd, page, RW, MAP_SHARED) + at),
        'grow the file': told(process.sys.ftruncate(fd, page)),
        'tail read after growth': world.pread(fd, at, 1)[0]!,
      };
    },
    expected: {
      child: 'exit 0',
      'tail the child found': 0,
      'size afterwards': true,
      'read(2) beyond the end': 0,
      'tail mapped again': 0,
      'grow the file': 'ok',
      'tail read after growth': 0,
    },
  });
}

const halfFile = (world: World): OpenedFile => world.file(world.page / 2);
const halfShm = (world: World): OpenedFile => world.shm(world.page / 2);

const unaligned = row({
  id: 'OP-MMAP-11-1',
  sentence: 'an offset within a page is refused; NetBSD maps the whole page and points into it',
  source: `${OP} 11-1`,
  setup: (world) => {
    const bytes = Uint8Array.from({ length: 2 * world.page }, (_, i) => i & 0xff);
    return world.file(bytes);
  },
  action: (world, { fd }) => {
    const offset = world.page + 0x123;
    const { process, page } = world;
    const mapped = process.sys.mmap(0, 0x100, VM_PROT_READ, MAP_SHARED, fd, offset);
    if (mapped.error !== 0) return { mmap: told(mapped) };
    const { value } = mapped;
    return { mmap: 'ok', 'offset in the page': value % page, 'first byte': process.load8(value) };
  },
  expected: {
    'netbsd-2001': { mmap: 'ok', 'offset in the page': 0x123, 'first byte': 0x23 },
    posix: { mmap: 'EINVAL' },
  },
});

/** The Open POSIX rows on alignment, ends of files and lengths. */
export const posixMmapRangeRows: readonly LiveRow[] = [
  row({
    id: 'OP-MMAP-9-1',
    sentence: 'a fixed address within a page is refused',
    source: `${OP} 9-1`,
    setup: (world) => {
      const { fd } = world.file(world.page);
      return { fd, va: world.map(fd, world.page, RW, MAP_SHARED) };
    },
    action: ({ process, page }, { fd, va }) => ({
      mmap: told(process.sys.mmap(va + 1, page, RW, MAP_SHARED | MAP_FIXED, fd)),
    }),
    expected: { mmap: 'EINVAL' },
  }),
  unaligned,
  alias('OP-MMAP-20', 'an address or an offset that does not fit is EINVAL', `${OP} 20`, unaligned),
  beyondEnd('OP-MMAP-11-2', 'a file', halfFile),
  beyondEnd('OP-MMAP-11-3', 'a shared memory object', halfShm),
  tail('OP-MMAP-11-4', 'a file', 'a page reads as zeroes beyond', halfFile),
  tail('OP-MMAP-11-5', 'a shared memory object', 'a page reads as zeroes beyond', halfShm),
  tail('OP-MMAP-11-6', 'a file', 'nothing is ever written out from beyond', halfFile),
  row({
    id: 'OP-MMAP-31-1',
    sentence: 'a mapping cannot go beyond the largest offset of a file',
    source: `${OP} 31-1`,
    setup: (world) => world.file(world.page),
    action: ({ process, page }, { fd }) => {
      // off_t has 64 bits; the model's numbers are exact up to 2^53, which stands for the largest offset.
      const offset = Number.MAX_SAFE_INTEGER + 1 - page;
      return { mmap: told(process.sys.mmap(0, 2 * page, VM_PROT_READ, MAP_SHARED, fd, offset)) };
    },
    expected: { 'netbsd-2001': { mmap: 'EINVAL' }, posix: { mmap: 'EOVERFLOW' } },
  }),
  row({
    id: 'OP-MMAP-32-1',
    sentence: 'nothing is mapped where nothing is asked for',
    source: `${OP} 32-1`,
    setup: (world) => world.file(world.page),
    action: ({ process }, { fd }) => {
      const before = process.space.map.size;
      const mmap = told(process.sys.mmap(0, 0, RW, MAP_PRIVATE, fd));
      return { mmap, 'bytes mapped': process.space.map.size - before };
    },
    expected: {
      'netbsd-2001': { mmap: 'ok', 'bytes mapped': 0 },
      posix: { mmap: 'EINVAL', 'bytes mapped': 0 },
    },
  }),
];
