import { type Va, VM_PROT_NONE, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import { O_RDONLY, O_RDWR, O_WRONLY, type Thread } from '@uvmkit/machine';
import { MAP_ANON, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, type Sleeping } from '@uvmkit/uvm-core';
import { bare, type Expectation, type LiveRow, type Outcome, type Outcomes, row } from '../row.ts';
import { RW, told, type World } from '../world.ts';

const ATF = 'NetBSD ATF t_mmap';
const INT_MAX = 2 ** 31 - 1;
/** Upstream goes round a million times; the seed makes preemptions as frequent as they can be. */
const ROUNDS = 150;

const X = 0x78;
const Y = 0x79;
const LOAN_BYTES = 32 << 10;

/** Memory on its way through a socket, and another mapping of it through which it is overwritten. */
interface Loan {
  readonly from: Va;
  readonly overwrite: Va;
  readonly write: number;
  readonly read: number;
}

/** A file of 32 KB mapped, and two sockets. With two mappings both are shared. */
function loan(world: World, mappings: 1 | 2): Loan {
  const { fd } = world.file(new Uint8Array(LOAN_BYTES).fill(X));
  const flags = mappings === 1 ? MAP_PRIVATE : MAP_SHARED;
  const from = world.map(fd, LOAN_BYTES, RW, flags) + world.page;
  const overwrite = mappings === 1 ? from : world.map(fd, LOAN_BYTES, RW, flags) + world.page;
  const pair = world.process.sys.socketpair();
  world.must('socketpair', pair);
  return { from, overwrite, write: pair.value, read: pair.second };
}

/** Sends a page, overwrites it while nobody has read it, and reads it at the other end. */
function sendAndOverwrite(world: World, { from, overwrite, write, read }: Loan): Outcomes {
  const { process, page } = world;
  const buffer = world.anon(1);
  const seen: Record<string, Outcome> = {};
  for (const [round, sent, then] of [
    ['first', X, Y],
    ['second', Y, X],
  ] as const) {
    const count = process.sys.write(write, from, page).value;
    world.fill(overwrite, page, then);
    seen[`${round} round read as much as written`] =
      process.sys.read(read, buffer, page).value === count && count === page;
    seen[`${round} round read what was sent`] = process
      .readBytes(buffer, page)
      .every((byte) => byte === sent);
    seen[`${round} round overwritten`] = process.load8(from) === then;
  }
  return seen;
}

const LOAN_KEPT: Expectation = Object.fromEntries(
  ['first', 'second'].flatMap((round) => [
    [`${round} round read as much as written`, true],
    [`${round} round read what was sent`, true],
    [`${round} round overwritten`, true],
  ]),
);

/** NetBSD's own tests of mmap(2). */
export const mmapRows: readonly LiveRow[] = [
  row({
    id: 'NB-MMAP-01',
    sentence: 'a file cannot be mapped without a descriptor',
    source: `${ATF}, mmap_err`,
    setup: bare,
    action: ({ process }) => ({
      mmap: told(process.sys.mmap(0, 3, VM_PROT_READ, MAP_PRIVATE, -1)),
    }),
    expected: { mmap: 'EBADF' },
  }),
  row({
    id: 'NB-MMAP-02',
    sentence: 'a fixed address is looked at before the descriptor is',
    source: `${ATF}, mmap_err`,
    setup: bare,
    action: ({ process, highest, page }) => ({
      mmap: told(process.sys.mmap(highest, page, VM_PROT_READ, MAP_FIXED | MAP_PRIVATE, -1)),
    }),
    expected: { mmap: 'EINVAL' },
  }),
  row({
    id: 'NB-MMAP-03',
    sentence: 'anonymous memory is mapped with descriptor -1 only',
    source: `${ATF}, mmap_err`,
    setup: bare,
    action: ({ process, page }) => ({
      mmap: told(process.sys.mmap(0, page, VM_PROT_READ, MAP_ANON | MAP_PRIVATE, INT_MAX)),
    }),
    expected: { mmap: 'EINVAL' },
  }),
  row({
    id: 'NB-MMAP-04',
    sentence: 'a file open for writing only cannot be mapped for reading',
    source: `${ATF}, mmap_prot_1`,
    setup: (world) => world.file(world.page, O_WRONLY),
    action: ({ process, page }, { fd }) => {
      const read = process.sys.mmap(0, page, VM_PROT_READ, MAP_PRIVATE, fd);
      const write = process.sys.mmap(0, page, VM_PROT_WRITE, MAP_PRIVATE, fd);
      const seen = { 'mmap for reading': told(read), 'mmap for writing': told(write) };
      return write.error !== 0
        ? seen
        : { ...seen, munmap: told(process.sys.munmap(write.value, page)) };
    },
    expected: {
      'netbsd-2001': { 'mmap for reading': 'EACCES', 'mmap for writing': 'ok', munmap: 'ok' },
      posix: { 'mmap for reading': 'EACCES', 'mmap for writing': 'EACCES' },
    },
  }),
  row({
    id: 'NB-MMAP-05',
    sentence: 'a child that reads a page without rights dies of SIGSEGV',
    source: `${ATF}, mmap_prot_2`,
    setup: (world) => world.anon(1, VM_PROT_NONE),
    action: (world, va) => ({
      'child reads': world.child((t) => t.load8(va)),
      munmap: told(world.process.sys.munmap(va, world.page)),
    }),
    expected: { 'child reads': 'SIGSEGV', munmap: 'ok' },
  }),
  row({
    id: 'NB-MMAP-06',
    sentence: 'a read-only file can be mapped shared without rights, and not be read there',
    source: `${ATF}, mmap_prot_3`,
    setup: (world) => world.file(3, O_RDONLY, 0o444),
    action: (world, { fd }) => {
      const { error, value } = world.process.sys.mmap(0, 3, VM_PROT_NONE, MAP_SHARED, fd);
      return { mmap: told({ error }), 'child reads': world.child((t) => t.load8(value)) };
    },
    expected: { mmap: 'ok', 'child reads': 'SIGSEGV' },
  }),
  row({
    id: 'NB-MMAP-07',
    sentence: 'private memory that was sent and then overwritten arrives as it was sent',
    source: `${ATF}, mmap_loan`,
    setup: (world) => loan(world, 1),
    action: sendAndOverwrite,
    expected: LOAN_KEPT,
  }),
  row({
    id: 'NB-MMAP-08',
    sentence: 'shared memory that was sent and then overwritten elsewhere arrives as it was sent',
    source: `${ATF}, mmap_loan`,
    setup: (world) => loan(world, 2),
    action: sendAndOverwrite,
    expected: LOAN_KEPT,
  }),
  row({
    id: 'NB-MMAP-09',
    sentence: 'a fixed mapping over an own reservation never fails, whatever other threads map',
    source: `${ATF}, mmap_reuse (PR 52239)`,
    setup: bare,
    action: ({ machine, process, page }) => {
      const length = 13 * page;
      let moved = 0;
      let failed = 0;
      const reserve = function* (t: Thread): Sleeping<void> {
        for (let i = 0; i < ROUNDS; i++) {
          const { value } = yield* t.mmap(0, length, VM_PROT_NONE, MAP_ANON | MAP_PRIVATE);
          const fixed = yield* t.mmap(value, length, RW, MAP_ANON | MAP_PRIVATE | MAP_FIXED);
          if (fixed.error !== 0) failed++;
          else if (fixed.value !== value) moved++;
          yield* t.munmap(value, length);
        }
      };
      const disturb = function* (t: Thread): Sleeping<void> {
        for (let i = 0; i < ROUNDS; i++) {
          const { value } = yield* t.mmap(0, length, RW, MAP_ANON | MAP_PRIVATE);
          yield* t.munmap(value, length);
        }
      };
      machine.start(process, reserve);
      machine.start(process, disturb);
      machine.run();
      return { 'fixed mappings elsewhere': moved, 'fixed mappings refused': failed };
    },
    expected: { 'fixed mappings elsewhere': 0, 'fixed mappings refused': 0 },
  }),
  row({
    id: 'NB-MMAP-10',
    sentence: 'a file can be cut and grown under a written private mapping',
    source: `${ATF}, mmap_truncate`,
    setup: (world) => {
      const { fd } = world.file(world.page);
      world.fill(world.map(fd, world.page, RW, MAP_PRIVATE), world.page, 0x78);
      return fd;
    },
    action: ({ process, page }, fd) => {
      const parts = [Infinity, 8, 4, 2, 12, 64];
      const failed = parts.filter(
        (part) => process.sys.ftruncate(fd, Math.floor(page / part)).error !== 0,
      );
      return { 'ftruncates refused': failed.length };
    },
    expected: { 'ftruncates refused': 0 },
  }),
  row({
    id: 'NB-MMAP-11',
    sentence: 'a page that lies beyond the end of its file since that was cut is a bus error',
    source: `${ATF}, mmap_truncate_signal`,
    setup: (world) => {
      const { fd } = world.file(new Uint8Array([0x66, 0x6f, 0x6f, 0x0a, 0]));
      return { fd, va: world.map(fd, world.page, VM_PROT_READ, MAP_PRIVATE) };
    },
    action: (world, { fd, va }) => ({
      'sum of five bytes': world.process.readBytes(va, 5).reduce((sum, byte) => sum + byte, 0),
      ftruncate: told(world.process.sys.ftruncate(fd, 0)),
      'child reads': world.child((t) => t.load8(va)),
    }),
    expected: {
      'netbsd-2001': { 'sum of five bytes': 334, ftruncate: 'ok', 'child reads': 'SIGSEGV' },
      posix: { 'sum of five bytes': 334, ftruncate: 'ok', 'child reads': 'SIGBUS' },
    },
  }),
  row({
    id: 'NB-MMAP-13',
    sentence: 'a hint that cannot be taken is no reason to fail',
    source: `${ATF}, mmap_hint`,
    setup: bare,
    action: (world) => {
      const { process, page, highest, userMin, userMax } = world;
      const map = (hint: number) =>
        process.sys.mmap(hint, page, VM_PROT_READ, MAP_ANON | MAP_PRIVATE);
      const attempt = (hint: number): string => {
        const first = map(hint);
        const results = [first, map(first.value), map(hint)];
        const refused = results.find(({ error }) => error !== 0);
        for (const { error, value } of results)
          if (error === 0) world.must('munmap', process.sys.munmap(value, page));
        return refused === undefined ? 'ok' : told(refused);
      };
      return {
        'no hint': attempt(0),
        'hint -1': attempt(highest),
        'hint of the second page': attempt(page),
        'hint of the lowest address': attempt(userMin),
        'hint beyond the highest address': attempt(userMax),
      };
    },
    expected: {
      // uvm_map_findspace looks upwards from the hint, and beyond the last address there is nothing.
      'netbsd-2001': {
        'no hint': 'ok',
        'hint -1': 'ok',
        'hint of the second page': 'ok',
        'hint of the lowest address': 'ok',
        'hint beyond the highest address': 'ENOMEM',
      },
      posix: {
        'no hint': 'ok',
        'hint -1': 'ok',
        'hint of the second page': 'ok',
        'hint of the lowest address': 'ok',
        'hint beyond the highest address': 'ok',
      },
    },
  }),
  row({
    id: 'NB-MMAP-14',
    sentence: 'a mapping of a block device outlives the descriptor it was made with',
    source: `${ATF}, mmap_block (skipped there: problem reports 38889 and 46592)`,
    setup: bare,
    action: (world) => {
      const { machine, process, page } = world;
      const disk = machine.addDisk({ size: 16 * page });
      disk.poke(page, Uint8Array.of(5));
      machine.addPartition('/dev/sd1a', disk);
      const fd = world.must('open', process.sys.open('/dev/sd1a', O_RDWR));
      const va = world.must('mmap', process.sys.mmap(0, 4 * page, RW, MAP_SHARED, fd));
      const before = process.load8(va + page);
      process.store8(va, 6);
      world.must('close', process.sys.close(fd));
      return { before, after: process.load8(va + page), stored: process.load8(va) };
    },
    expected: {
      'netbsd-2001': { before: 5, after: 5, stored: 6 },
      posix: { before: 5, after: 5, stored: 6 },
    },
  }),
];
