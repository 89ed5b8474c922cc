import { errnoName, KernelPanic, type Port, type Va } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import { describe, expect, it } from 'vitest';
import { checkUvm } from '../check.ts';
import { uvmIo, vslock, vsunlock } from '../io.ts';
import { kernelWrite } from '../kernel-copy.ts';
import { loan, unloan } from '../loan.ts';
import { MADV_FREE, MAP_ANON, MAP_SHARED, MS_INVALIDATE, MS_SYNC } from '../mmap.ts';
import { MAP_INHERIT_SHARE } from '../types.ts';
import { vnodeRead, vnodeSetSize } from '../vnode-io.ts';
import type { FakeFile } from '../../test/disk.ts';
import { fileByte, Kit, PAGE, type Proc, R, RW, RWX, RX } from '../../test/kit.ts';
import { forgetfulPolicy } from './forgetful.ts';
import type { WiringPolicy } from './policy.ts';
import { targetedPolicy } from './targeted.ts';
import { wirePolicy } from './wire.ts';
import { wiremaxPolicy } from './wiremax.ts';

/**
 * What becomes of a scenario: nothing bad; a panic, by its words; the first words that the kernel prints; or the invariants that do not
 * hold where the scenario pauses.
 */
type Ending = 'fine' | `panic: ${string}` | `message: ${string}` | `broken: ${string}`;

const UNWIRING: Ending = 'panic: uvm_fault_unwire_locked: unwiring non-wired memory';
const NOT_WIRED: Ending = 'panic: ideal: pmap_unwire: not wired';
const DID_NOT_CHANGE: Ending = 'message: pmap_unwire: wiring';
const UNDERFLOW: Ending = 'panic: uvm_pageunwire: wire count underflow';

/** A port with UVM on it, a file of four pages, and words for what processes do to each other. */
class Stage {
  readonly kit: Kit;
  readonly file: FakeFile;

  constructor(wiring: WiringPolicy, port: Port | null) {
    this.kit = new Kit({ wiring, device: 4 * PAGE, memory: 8 << 20, ...(port && { port }) });
    this.file = this.kit.file(4);
  }

  /** A process that has mapped the file. */
  mapped(prot = RX, flags?: number): { proc: Proc; va: Va } {
    const proc = this.kit.proc();
    const fd = proc.fd(this.file);
    return { proc, va: proc.map({ length: 2 * PAGE, fd, prot, ...(flags && { flags }) }) };
  }

  /** Another process' memory is written to, as ptrace(2) does. */
  trace(proc: Proc, va: Va, value: number): void {
    const { uvm } = this.kit;
    const bytes = Uint8Array.of(value);
    const { error } = this.kit.run(
      uvmIo(uvm, proc.space.map, va, 1, (kva) => kernelWrite(uvm, kva, bytes)),
    );
    if (error !== 0) throw new Error(`tracing: ${errnoName(error)}`);
  }

  truncate(pages: number): void {
    this.kit.run(vnodeSetSize(this.kit.uvm, this.file.vnode, pages * PAGE));
    this.kit.settle();
  }

  lend(proc: Proc, va: Va, to: 'anon' | 'page'): readonly number[] {
    return this.kit.run(loan(this.kit.uvm, proc.space.map, va, PAGE, to)) as readonly number[];
  }
}

class Broken extends Error {}

/** Plays a scenario; every invariant is looked at wherever it pauses, and when it is over. */
function play(
  wiring: WiringPolicy,
  port: Port | null,
  scenario: (stage: Stage) => Generator<void, void, void>,
): Ending {
  const stage = new Stage(wiring, port);
  try {
    const steps = scenario(stage);
    for (let step = steps.next(); ; step = steps.next()) {
      stage.kit.settle();
      const found = new Set(
        checkUvm(stage.kit.uvm, 'mappings' in stage.kit.md ? { probe: stage.kit.ideal } : {}).map(
          ({ invariant }) => invariant,
        ),
      );
      // Only the ideal pmap can be asked what it has wired.
      found.delete(39);
      if (found.size > 0) throw new Broken([...found].sort((a, b) => a - b).join(' '));
      if (step.done !== true) continue;
      const [message] = stage.kit.printed;
      return message === undefined
        ? 'fine'
        : `message: ${message.split(' ').slice(0, 2).join(' ')}`;
    }
  } catch (error) {
    if (error instanceof KernelPanic) return `panic: ${error.words}`;
    if (error instanceof Broken) return `broken: ${error.message}`;
    throw error;
  }
}

/** A scenario, and how it ends under the policies of history; it ends well under the others. */
interface Scenario {
  readonly name: string;
  readonly play: (stage: Stage) => Generator<void, void, void>;
  readonly wire: Ending;
  readonly wiremax: Ending;
  /** Under both, on the i386, if its pmap takes it otherwise. */
  readonly i386?: Ending;
}

const SCENARIOS: readonly Scenario[] = [
  {
    name: '13.1: private text is locked, and a tracer writes to a stranger’s copy of it',
    *play(stage) {
      const { proc, va } = stage.mapped();
      expect(proc.mlock(va, 2 * PAGE)).toBe(0);
      yield;
      const other = stage.mapped();
      other.proc.load(other.va);
      stage.trace(other.proc, other.va, 99);
      expect(other.proc.load(other.va)).toBe(99);
      expect(proc.munlock(va, 2 * PAGE)).toBe(0);
      yield;
      expect(proc.load(va)).toBe(fileByte(0));
    },
    wire: UNWIRING,
    wiremax: 'fine',
  },
  {
    name: '13.1: private text is locked, made writable and written to',
    *play(stage) {
      const { proc, va } = stage.mapped();
      proc.mlock(va, 2 * PAGE);
      yield;
      proc.mprotect(va, 2 * PAGE, RWX);
      proc.store(va, 99);
      expect(proc.munlock(va, 2 * PAGE)).toBe(0);
      yield;
      expect(stage.kit.exp.wired).toBe(0);
      expect(proc.load(va)).toBe(99);
    },
    wire: UNDERFLOW,
    wiremax: 'fine',
  },
  {
    name: '13.1: private text is locked, and its own tracer writes to it',
    *play(stage) {
      const { proc, va } = stage.mapped();
      proc.mlock(va, 2 * PAGE);
      yield;
      stage.trace(proc, va, 99);
      expect(proc.munlock(va, 2 * PAGE)).toBe(0);
      yield;
      expect(proc.load(va)).toBe(99);
    },
    wire: UNWIRING,
    wiremax: 'fine',
  },
  {
    name: '13.1: the same, and it looks at what was written before it unlocks',
    *play(stage) {
      const { proc, va } = stage.mapped();
      proc.mlock(va, 2 * PAGE);
      stage.trace(proc, va, 99);
      expect(proc.load(va)).toBe(99);
      expect(proc.munlock(va, 2 * PAGE)).toBe(0);
      yield;
    },
    wire: UNDERFLOW,
    wiremax: 'fine',
  },
  {
    name: 'H1: a shared mapping is locked, and a tracer writes to a stranger’s private one',
    *play(stage) {
      const { proc, va } = stage.mapped(RW, MAP_SHARED);
      proc.mlock(va, 2 * PAGE);
      proc.store(va, 7);
      const other = stage.mapped();
      other.proc.load(other.va);
      stage.trace(other.proc, other.va, 99);
      expect(proc.munlock(va, 2 * PAGE)).toBe(0);
      yield;
      expect([proc.load(va), other.proc.load(other.va)]).toEqual([7, 99]);
    },
    wire: UNWIRING,
    wiremax: UNWIRING,
  },
  {
    name: 'H1: the same with a private mapping that is inherited shared, and its child stores',
    *play(stage) {
      const { proc, va } = stage.mapped(RW, MAP_SHARED);
      proc.mlock(va, 2 * PAGE);
      const other = stage.mapped(RW);
      other.proc.minherit(other.va, PAGE, MAP_INHERIT_SHARE);
      other.proc.load(other.va);
      const child = other.proc.fork();
      child.store(other.va, 99);
      expect(other.proc.load(other.va)).toBe(99);
      expect(proc.munlock(va, 2 * PAGE)).toBe(0);
      yield;
      expect(proc.load(va)).toBe(fileByte(0));
    },
    wire: UNWIRING,
    wiremax: UNWIRING,
  },
  {
    name: 'H2: a file is truncated under a locked shared mapping, grows again and is unlocked',
    *play(stage) {
      const { proc, va } = stage.mapped(RW, MAP_SHARED);
      proc.mlock(va, 2 * PAGE);
      stage.truncate(1);
      expect(proc.try(va + PAGE, R)).not.toBe(0);
      stage.truncate(2);
      expect(proc.munlock(va, 2 * PAGE)).toBe(0);
      yield;
      expect(stage.kit.exp.wired).toBe(0);
    },
    wire: UNWIRING,
    wiremax: UNWIRING,
  },
  {
    name: 'H2: the same, and the page that has come back is locked as the old one was',
    *play(stage) {
      const { kit, file } = stage;
      const { proc, va } = stage.mapped(RW, MAP_SHARED);
      proc.mlock(va, 2 * PAGE);
      stage.truncate(1);
      stage.truncate(2);
      proc.store(va + PAGE, 5);
      yield;
      expect(kit.uvm.pages.wireCount[kit.uvm.pages.lookup(file.vnode, 1)]).toBe(1);
      expect(proc.munlock(va, 2 * PAGE)).toBe(0);
      yield;
    },
    // It is mapped wired, and not counted (H8).
    wire: 'broken: 40',
    wiremax: 'broken: 40',
  },
  {
    name: 'H3: another process invalidates the file’s pages',
    *play(stage) {
      const { proc, va } = stage.mapped(RW, MAP_SHARED);
      proc.mlock(va, 2 * PAGE);
      proc.store(va, 7);
      const other = stage.mapped(RW, MAP_SHARED);
      expect(other.proc.msync(other.va, 2 * PAGE, MS_SYNC | MS_INVALIDATE)).toBe(0);
      expect(proc.munlock(va, 2 * PAGE)).toBe(0);
      yield;
      expect(proc.load(va)).toBe(7);
    },
    wire: UNWIRING,
    wiremax: UNWIRING,
  },
  {
    name: 'H3: the locker itself frees the file’s pages, and reads them again',
    *play(stage) {
      const { proc, va } = stage.mapped(RW, MAP_SHARED);
      proc.mlock(va, 2 * PAGE);
      expect(proc.madvise(va, 2 * PAGE, MADV_FREE)).toBe(0);
      expect(proc.load(va)).toBe(fileByte(0));
      expect(proc.load(va + PAGE)).toBe(fileByte(PAGE));
      expect(proc.munlock(va, 2 * PAGE)).toBe(0);
      yield;
    },
    wire: UNDERFLOW,
    wiremax: UNDERFLOW,
  },
  {
    name: 'H4: a locked page of a shared mapping is lent to the kernel and written to',
    *play(stage) {
      const { kit } = stage;
      const { proc, va } = stage.mapped(RW, MAP_SHARED);
      proc.mlock(va, PAGE);
      const lent = stage.lend(proc, va, 'page');
      proc.store(va, 7);
      expect(proc.munlock(va, PAGE)).toBe(0);
      yield;
      expect(kit.memory.read8(kit.uvm.pages.pageAddress(lent[0]!))).toBe(fileByte(0));
      unloan(kit.uvm, lent, 'page');
      yield;
      expect([proc.load(va), kit.exp.wired]).toEqual([7, 0]);
    },
    wire: UNDERFLOW,
    wiremax: UNDERFLOW,
  },
  {
    name: 'H4, H8: a locked page of private memory is lent to the kernel and written to',
    *play(stage) {
      const { kit } = stage;
      const { proc, va } = stage.mapped(RW);
      proc.mlock(va, PAGE);
      const lent = stage.lend(proc, va, 'page');
      proc.store(va, 7);
      expect(proc.munlock(va, PAGE)).toBe(0);
      yield;
      unloan(kit.uvm, lent, 'page');
      expect([proc.load(va), kit.exp.wired]).toEqual([7, 0]);
    },
    wire: UNDERFLOW,
    wiremax: UNDERFLOW,
  },
  {
    name: 'H4: a file page that two processes have locked is lent, and read(2) windows show it',
    *play(stage) {
      const one = stage.mapped(RW, MAP_SHARED);
      const two = stage.mapped(R, MAP_SHARED);
      one.proc.mlock(one.va, PAGE);
      two.proc.mlock(two.va, PAGE);
      const lent = stage.lend(one.proc, one.va, 'page');
      one.proc.store(one.va, 7);
      expect(two.proc.load(two.va)).toBe(7);
      yield;
      expect(two.proc.munlock(two.va, PAGE)).toBe(0);
      expect(one.proc.munlock(one.va, PAGE)).toBe(0);
      unloan(stage.kit.uvm, lent, 'page');
      yield;
    },
    wire: 'broken: 40',
    wiremax: 'broken: 40',
  },
  {
    name: 'H5: a transfer from private text, and a tracer writes to a stranger’s copy meanwhile',
    *play(stage) {
      const { uvm } = stage.kit;
      const { proc, va } = stage.mapped();
      const { map } = proc.space;
      expect(stage.kit.run(vslock(uvm, map, va, PAGE, R))).toBe(0);
      yield;
      const other = stage.mapped();
      stage.trace(other.proc, other.va, 99);
      vsunlock(uvm, map, va, PAGE);
      yield;
      expect([proc.load(va), stage.kit.exp.wired]).toEqual([fileByte(0), 0]);
    },
    wire: UNWIRING,
    wiremax: UNWIRING,
  },
  {
    name: 'H4: a file page that is locked privately, and may be written by now, is lent and replaced',
    *play(stage) {
      const { kit } = stage;
      const { proc, va } = stage.mapped();
      proc.mlock(va, 2 * PAGE);
      proc.mprotect(va, 2 * PAGE, RWX);
      const other = stage.mapped(RW, MAP_SHARED);
      const read = () => kit.run(vnodeRead(kit.uvm, stage.file.vnode, 0, 1));
      expect(read()).toEqual(Uint8Array.of(fileByte(0)));
      proc.store(va + PAGE, 6);
      const lent = stage.lend(other.proc, other.va, 'page');
      other.proc.store(other.va, 7);
      yield;
      expect(read()).toEqual(Uint8Array.of(7));
      proc.store(va, 8);
      expect(other.proc.load(other.va)).toBe(7);
      expect(proc.munlock(va, 2 * PAGE)).toBe(0);
      unloan(kit.uvm, lent, 'page');
      yield;
    },
    wire: 'broken: 10 40 41',
    wiremax: 'fine',
  },
  {
    name: 'H5: a transfer from a file page that is thrown away meanwhile, and touched again',
    *play(stage) {
      const { uvm } = stage.kit;
      const { proc, va } = stage.mapped(R, MAP_SHARED);
      stage.kit.run(vslock(uvm, proc.space.map, va, PAGE, R));
      const other = stage.mapped(RW, MAP_SHARED);
      expect(other.proc.msync(other.va, PAGE, MS_SYNC | MS_INVALIDATE)).toBe(0);
      expect(proc.load(va)).toBe(fileByte(0));
      vsunlock(uvm, proc.space.map, va, PAGE);
      yield;
      expect(stage.kit.exp.wired).toBe(0);
    },
    wire: NOT_WIRED,
    wiremax: NOT_WIRED,
    i386: UNDERFLOW,
  },
  {
    name: 'H5: a transfer to memory that is unmapped meanwhile',
    *play(stage) {
      const { uvm } = stage.kit;
      const { proc, va } = stage.mapped(RW);
      const { map } = proc.space;
      expect(stage.kit.run(vslock(uvm, map, va, PAGE, RW))).toBe(0);
      proc.munmap(va, PAGE);
      yield;
      vsunlock(uvm, map, va, PAGE);
      yield;
      expect(stage.kit.exp.wired).toBe(0);
    },
    wire: UNWIRING,
    wiremax: UNWIRING,
  },
  {
    name: 'H5: a range is locked, transferred from, and unlocked before the transfer ends',
    *play(stage) {
      const { uvm } = stage.kit;
      const { proc, va } = stage.mapped(RW);
      const { map } = proc.space;
      proc.mlock(va, PAGE);
      stage.kit.run(vslock(uvm, map, va, PAGE, RW));
      yield;
      expect(proc.munlock(va, PAGE)).toBe(0);
      yield;
      vsunlock(uvm, map, va, PAGE);
      yield;
    },
    wire: NOT_WIRED,
    wiremax: NOT_WIRED,
    i386: DID_NOT_CHANGE,
  },
  {
    name: 'H6: a locked range is made PROT_NONE and unlocked',
    *play(stage) {
      const { proc, va } = stage.mapped(RW);
      proc.mlock(va, 2 * PAGE);
      proc.mprotect(va, 2 * PAGE, 0);
      yield;
      expect(proc.munlock(va, 2 * PAGE)).toBe(0);
      yield;
      expect(stage.kit.exp.wired).toBe(0);
    },
    wire: UNWIRING,
    wiremax: UNWIRING,
  },
  {
    name: 'H7: a locked shared anon is lent to another anon, and a sharer stores',
    *play(stage) {
      const proc = stage.kit.proc();
      const va = proc.map({ length: PAGE, flags: MAP_ANON | MAP_SHARED });
      proc.store(va, 1);
      const child = proc.fork();
      child.load(va);
      proc.mlock(va, PAGE);
      const lent = stage.lend(proc, va, 'anon');
      child.store(va, 2);
      expect(proc.munlock(va, PAGE)).toBe(0);
      yield;
      expect(proc.load(va)).toBe(2);
      unloan(stage.kit.uvm, lent, 'anon');
    },
    wire: UNWIRING,
    wiremax: UNWIRING,
  },
  {
    name: 'H9: a device is locked and unlocked',
    *play(stage) {
      const proc = stage.kit.proc();
      const frame = stage.kit.memory.size / PAGE - 4;
      const device = { name: 'wsdisplay0', mmap: (offset: number) => frame + offset / PAGE };
      const fd = proc.open.push({ device, readable: true, writable: true, immutable: false }) - 1;
      const va = proc.map({ length: 2 * PAGE, fd, flags: MAP_SHARED });
      expect(proc.mlock(va, 2 * PAGE)).toBe(0);
      yield;
      proc.store(va, 1);
      expect(proc.munlock(va, 2 * PAGE)).toBe(0);
      yield;
    },
    wire: NOT_WIRED,
    wiremax: NOT_WIRED,
    i386: DID_NOT_CHANGE,
  },
  {
    name: 'a process forks while it has memory locked, and both store',
    *play(stage) {
      const { proc, va } = stage.mapped(RW);
      const anon = proc.map({ length: 2 * PAGE });
      proc.store(anon, 1);
      expect(proc.mlock(va, 2 * PAGE)).toBe(0);
      expect(proc.mlock(anon, 2 * PAGE)).toBe(0);
      yield;
      const child = proc.fork();
      yield;
      for (const [who, value] of [
        [child, 2],
        [proc, 3],
      ] as const)
        for (const at of [va, anon]) who.store(at, value);
      yield;
      expect([proc.load(anon), child.load(anon)]).toEqual([3, 2]);
      expect(proc.munlock(va, 2 * PAGE)).toBe(0);
      proc.exit();
      yield;
      child.exit();
      expect(stage.kit.exp.wired).toBe(0);
    },
    wire: 'fine',
    wiremax: 'fine',
  },
  {
    name: 'a process locks for reading what it shares with its child until one of them stores',
    *play(stage) {
      const { proc, va } = stage.mapped(RW);
      proc.store(va, 1);
      proc.store(va + PAGE, 1);
      const child = proc.fork();
      proc.mprotect(va, 2 * PAGE, R);
      expect(proc.mlock(va, 2 * PAGE)).toBe(0);
      yield;
      proc.mprotect(va, 2 * PAGE, RW);
      proc.store(va, 2);
      yield;
      expect([proc.load(va), child.load(va)]).toEqual([2, 1]);
      expect(proc.munlock(va, 2 * PAGE)).toBe(0);
      yield;
      expect(stage.kit.exp.wired).toBe(0);
    },
    // The copy is mapped wired, and the page that was locked stays so.
    wire: 'broken: 10 40',
    wiremax: 'fine',
  },
  {
    name: 'several processes lock the same file, some twice, and it is truncated',
    *play(stage) {
      const users = [stage.mapped(RW, MAP_SHARED), stage.mapped(R, MAP_SHARED), stage.mapped(R)];
      for (const { proc, va } of users) expect(proc.mlock(va, 2 * PAGE)).toBe(0);
      users[0]!.proc.mlock(users[0]!.va, 2 * PAGE);
      yield;
      stage.truncate(0);
      yield;
      for (const { proc, va } of users) expect(proc.munlock(va, 2 * PAGE)).toBe(0);
      yield;
      expect(stage.kit.exp.wired).toBe(0);
    },
    wire: 'broken: 41',
    wiremax: 'broken: 41',
  },
  {
    name: 'shared memory that several processes have locked is traced',
    *play(stage) {
      const { proc, va } = stage.mapped(RW);
      proc.minherit(va, 2 * PAGE, MAP_INHERIT_SHARE);
      proc.mprotect(va, 2 * PAGE, RX);
      const child = proc.fork();
      proc.mlock(va, 2 * PAGE);
      child.mlock(va, 2 * PAGE);
      yield;
      stage.trace(child, va, 99);
      yield;
      expect([proc.load(va), child.load(va)]).toEqual([99, 99]);
      expect(proc.munlock(va, 2 * PAGE)).toBe(0);
      expect(child.munlock(va, 2 * PAGE)).toBe(0);
      yield;
      expect(stage.kit.exp.wired).toBe(0);
    },
    wire: 'broken: 40 41',
    wiremax: 'fine',
  },
];

const PORTS: readonly [string, Port | null][] = [
  ['the ideal pmap', null],
  ['i386', i386()],
];

describe.each(PORTS)('on %s', (_name, port) => {
  it.each(SCENARIOS)('$name', (scenario) => {
    const endings = [wirePolicy, wiremaxPolicy, targetedPolicy, forgetfulPolicy].map(
      (policy) => [policy.name, play(policy, port, (stage) => scenario.play(stage))] as const,
    );
    const other = port === null ? undefined : scenario.i386;
    expect(Object.fromEntries(endings)).toEqual({
      wire: other ?? scenario.wire,
      wiremax: other ?? scenario.wiremax,
      targeted: 'fine',
      forgetful: 'fine',
    });
  });
});
