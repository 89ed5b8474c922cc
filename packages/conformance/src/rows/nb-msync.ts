import { MAP_PRIVATE, MS_ASYNC, MS_INVALIDATE, MS_SYNC } from '@uvmkit/uvm-core';
import { type LiveRow, row } from '../row.ts';
import { RW, told } from '../world.ts';

const ATF = 'NetBSD ATF t_msync';
/** "garbage". */
const GARBAGE: readonly number[] = [0x67, 0x61, 0x72, 0x62, 0x61, 0x67, 0x65];
const AT = 512;
const INT_MAX = 2 ** 31 - 1;

/** What is written through a descriptor, a clean private page shows, whatever msync is asked for. */
function coherent(id: string, test: string, name: string, flags: number): LiveRow {
  return row({
    id,
    sentence: `a clean private page shows what was written to its file, also after msync with ${name}`,
    source: `${ATF}, ${test}`,
    setup: (world) => {
      const { fd } = world.file(world.page);
      return { fd, va: world.map(fd, world.page, RW, MAP_PRIVATE) };
    },
    action: (world, { fd, va }) => {
      world.pwrite(fd, AT, Uint8Array.from(GARBAGE));
      const msync = told(world.process.sys.msync(va, world.page, flags));
      const seen = world.process.readBytes(va + AT, GARBAGE.length);
      return { msync, 'garbage seen': GARBAGE.every((byte, i) => seen[i] === byte) };
    },
    expected: { msync: 'ok', 'garbage seen': true },
  });
}

/** NetBSD's own tests of msync(2). */
export const msyncRows: readonly LiveRow[] = [
  coherent('NB-MSYNC-01', 'msync_async', 'MS_ASYNC', MS_ASYNC),
  coherent('NB-MSYNC-02', 'msync_invalidate', 'MS_INVALIDATE', MS_INVALIDATE),
  coherent('NB-MSYNC-03', 'msync_sync', 'MS_SYNC', MS_SYNC),
  row({
    id: 'NB-MSYNC-04',
    sentence: 'msync refuses flags that nobody knows',
    source: `${ATF}, msync_err`,
    setup: (world) => world.anon(1),
    action: ({ process, page }, va) => ({
      'flags -1': told(process.sys.msync(va, page, -1)),
      'flags INT_MAX': told(process.sys.msync(va, page, INT_MAX)),
    }),
    expected: { 'flags -1': 'EINVAL', 'flags INT_MAX': 'EINVAL' },
  }),
  row({
    id: 'NB-MSYNC-05',
    sentence: 'what is not mapped cannot be synchronised',
    source: `${ATF}, msync_err`,
    setup: (world) => {
      const va = world.anon(1);
      world.must('munmap', world.process.sys.munmap(va, world.page));
      return va;
    },
    action: ({ process, page }, va) => ({ msync: told(process.sys.msync(va, page, MS_SYNC)) }),
    // The kernel of 2001 told what uvm_map_clean found; its manual and POSIX say ENOMEM.
    expected: { 'netbsd-2001': { msync: 'EFAULT' }, posix: { msync: 'ENOMEM' } },
  }),
];
