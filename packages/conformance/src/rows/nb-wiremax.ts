import { type Prot, type Va, VM_PROT_EXECUTE, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import { O_RDONLY, type Process } from '@uvmkit/machine';
import { MAP_PRIVATE, MAP_SHARED, wirePolicy } from '@uvmkit/uvm-core';
import { type LiveRow, row } from '../row.ts';
import { told, type World } from '../world.ts';

const SOURCE =
  'NetBSD PRs 10363, 12554, 12604, 13041, 13487, 14580, 14853: the commit of 31 December 2001';
const PAGES = 4;

const UNWIRING = 'panic: uvm_fault_unwire_locked: unwiring non-wired memory';
const UNDERFLOW = 'panic: uvm_pageunwire: wire count underflow';
const TEXT: Prot = VM_PROT_READ | VM_PROT_EXECUTE;
const F = 0x66;
const W = 0x77;

/** The row's process A has locked a page of a file, and B maps the same page privately and reads it. */
interface Traced {
  readonly locked: Va;
  readonly other: Process;
  readonly at: Va;
}

function traced(world: World, flags: number): Traced {
  const { page, process } = world;
  const { name, fd } = world.file(new Uint8Array(page).fill(F));
  const locked = world.map(fd, page, TEXT, flags);
  world.must('mlock', process.sys.mlock(locked, page));
  const other = world.spawn();
  const at = world.map(world.open(name, O_RDONLY, other).fd, page, TEXT, MAP_PRIVATE, other);
  other.load8(at);
  return { locked, other, at };
}

/** The rows on what may be lost under a lock, under the policy that the commit of 31 December 2001 made the rule, and before it. */
export const wiremaxRows: readonly LiveRow[] = [
  row({
    id: 'NB-WIREMAX-1',
    sentence:
      "writing with ptrace to another process' private page takes no lock of the file's page away",
    source: SOURCE,
    setup: (world) => traced(world, MAP_PRIVATE),
    action: (world, { locked, other, at }) => {
      const { process, page } = world;
      world.poke(other, at, W);
      return {
        'A reads': process.load8(locked),
        'B reads': other.load8(at),
        munlock: world.untilPanic(() => told(process.sys.munlock(locked, page))),
        'A reads unlocked': process.load8(locked),
        'pages wired': world.wiredPages,
      };
    },
    expected: {
      'A reads': F,
      'B reads': W,
      munlock: 'ok',
      'A reads unlocked': F,
      'pages wired': 0,
    },
  }),
  row({
    id: 'NB-WIREMAX-2',
    sentence: 'likewise, if the process that had locked its page exits',
    source: SOURCE,
    about: {
      policies: ['wiremax', 'targeted', 'forgetful'],
      reason: 'before the commit the lock is lost, and where the pmap does not keep it exit panics',
    },
    setup: (world) => traced(world, MAP_PRIVATE),
    action: (world, { other, at }) => {
      world.poke(other, at, W);
      return {
        exit: world.untilPanic(() => told(world.process.sys.exit())),
        'B reads': other.load8(at),
        'pages wired': world.wiredPages,
      };
    },
    expected: { exit: 'ok', 'B reads': W, 'pages wired': 0 },
  }),
  row({
    id: 'NB-WIREMAX-3',
    sentence:
      'a private lock outlives the truncation of its file; a shared one is lost, and unlocking it panics',
    source: `${SOURCE}, which left this open`,
    about: {
      policies: ['wiremax'],
      reason:
        'only the commit copies private memory when it is locked, and its panic is mended since',
    },
    setup: (world) => {
      const lock = (flags: number): { fd: number; va: Va } => {
        const { fd } = world.file(new Uint8Array(world.page).fill(F));
        const va = world.map(fd, world.page, TEXT, flags);
        world.must('mlock', world.process.sys.mlock(va, world.page));
        return { fd, va };
      };
      return { own: lock(MAP_PRIVATE), shared: lock(MAP_SHARED) };
    },
    action: (world, { own, shared }) => {
      const { process, page, keepsWired } = world;
      const seen = {
        'ftruncate, private': told(process.sys.ftruncate(own.fd, 0)),
        'touch, private': world.attempt(() => process.load8(own.va)),
        'munlock, private': told(process.sys.munlock(own.va, page)),
        'ftruncate, shared': told(process.sys.ftruncate(shared.fd, 0)),
      };
      const touch = world.attempt(() => process.load8(shared.va));
      const munlock = world.untilPanic(() => told(process.sys.munlock(shared.va, page)));
      return {
        ...seen,
        // Where the pmap keeps wired mappings, this one leads to a page that is free.
        'touch, shared': keepsWired ? 'reaches a free page' : touch,
        'munlock, shared': munlock,
      };
    },
    expected: {
      'netbsd-2001': {
        'ftruncate, private': 'ok',
        'touch, private': F,
        'munlock, private': 'ok',
        'ftruncate, shared': 'ok',
        'touch, shared': ['SIGSEGV', 'reaches a free page'],
        'munlock, shared': [UNWIRING, UNDERFLOW],
      },
      posix: {
        'ftruncate, private': 'ok',
        'touch, private': F,
        'munlock, private': 'ok',
        'ftruncate, shared': 'ok',
        'touch, shared': ['SIGBUS', 'reaches a free page'],
        'munlock, shared': [UNWIRING, UNDERFLOW],
      },
    },
  }),
  row({
    id: 'NB-WIREMAX-4',
    sentence:
      "locking a private mapping that may be written one day gives the process pages of its own, none of the file's",
    source: SOURCE,
    about: {
      policies: ['wiremax'],
      reason: 'only the commit copies what may never be written',
    },
    setup: (world) => {
      const { fd } = world.file(PAGES * world.page, O_RDONLY);
      return world.map(fd, PAGES * world.page, VM_PROT_READ | VM_PROT_EXECUTE, MAP_PRIVATE);
    },
    action: (world, va) => {
      const { process, page } = world;
      const owners = (): string => {
        const all = Array.from({ length: PAGES }, (_, i) => world.owner(va + i * page));
        return [...new Set(all)].join(' ');
      };
      const before = owners();
      const mlock = told(process.sys.mlock(va, PAGES * page));
      const after = owners();
      // The store finds the locked page writable: nothing is substituted under the lock.
      world.must('mprotect', process.sys.mprotect(va, PAGES * page, VM_PROT_READ | VM_PROT_WRITE));
      process.store8(va, 1);
      const munlock = told(process.sys.munlock(va, PAGES * page));
      return { before, mlock, after, munlock, 'pages wired': world.wiredPages };
    },
    expected: { before: 'object', mlock: 'ok', after: 'anon', munlock: 'ok', 'pages wired': 0 },
  }),
  row({
    id: 'NB-WIREMAX-5',
    sentence:
      "writing with ptrace to another process' private page takes a shared lock of the file's page away",
    source: `${SOURCE}, which left this open`,
    about: {
      policies: ['wire', 'wiremax'],
      reason: 'the designs since do not lose the lock, so nothing depends on the pmap',
    },
    setup: (world) => traced(world, MAP_SHARED),
    action: (world, { locked, other, at }) => {
      world.poke(other, at, W);
      const munlock = world.untilPanic(() => told(world.process.sys.munlock(locked, world.page)));
      return { munlock, 'as the pmap has it': (munlock === 'ok') === world.keepsWired };
    },
    expected: { munlock: ['ok', UNWIRING], 'as the pmap has it': true },
  }),
  row({
    id: 'NB-WIREMAX-6',
    sentence:
      "before the commit writing with ptrace to another process' private page takes a private lock away too",
    source: `${SOURCE}: what it repaired`,
    wiring: wirePolicy,
    setup: (world) => traced(world, MAP_PRIVATE),
    action: (world, { locked, other, at }) => {
      world.poke(other, at, W);
      const munlock = world.untilPanic(() => told(world.process.sys.munlock(locked, world.page)));
      return { munlock, 'as the pmap has it': (munlock === 'ok') === world.keepsWired };
    },
    expected: { munlock: ['ok', UNWIRING], 'as the pmap has it': true },
  }),
];
