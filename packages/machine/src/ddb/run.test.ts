import { KernelPanic } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import { MAP_ANON, MAP_PRIVATE } from '@uvmkit/uvm-core';
import { beforeEach, describe, expect, it } from 'vitest';
import { Machine } from '../machine.ts';
import type { Process } from '../process.ts';
import { Ddb } from './ddb.ts';

const PAGE = 4096;

let machine: Machine;
let process: Process;
let ddb: Ddb;
let va = 0;

beforeEach(() => {
  machine = new Machine({ port: i386(), memory: 4 << 20 });
  process = machine.spawn();
  ddb = new Ddb(machine);
  va = process.sys.mmap(0, 64 * PAGE, 3, MAP_ANON | MAP_PRIVATE).value;
});

function output(line: string): string {
  const lines = ddb.execute(line);
  expect(ddb.failed).toBe(false);
  return lines.join('\n');
}

const hex = (address: number): string => `0x${address.toString(16)}`;

/** A thread that stores to one page after another, and lets others run after each. */
function storing(pages: number): void {
  machine.start(process, function* (thread) {
    for (let page = 0; page < pages; page++) {
      yield* thread.store32(va + page * PAGE, page);
      yield* thread.pause();
    }
  });
}

describe('continue', () => {
  it('stops at a break, and goes on from there to the next', () => {
    storing(20);
    expect(output(`break uvm.faultDone when va >= ${hex(va + 8 * PAGE)} and error == 0`)).toBe(
      `break 1: uvm.faultDone when va >= ${hex(va + 8 * PAGE)} and error == 0`,
    );
    const [first, event, where] = ddb.execute('continue');
    expect(first).toBe(`break 1: uvm.faultDone when va >= ${hex(va + 8 * PAGE)} and error == 0`);
    expect(event).toMatch(
      new RegExp(
        `^#\\d+ \\d+ ns uvm\\.faultDone map=1 va=${hex(va + 8 * PAGE)} error=0 case=\\d+$`,
      ),
    );
    expect(where).toBe(
      `stopped at ${machine.now} ns, where the turn ended; events after that one: 0`,
    );
    // The store that faulted has been made, those after it have not.
    expect(output(`print ${hex(va + 8 * PAGE)}`)).toMatch(/: 0x00000008 /);
    expect(output(`print ${hex(va + 9 * PAGE)}`)).toMatch(/nobody has touched yet/);
    expect(output('c')).toContain(`va=${hex(va + 9 * PAGE)}`);
    expect(output('break')).toMatch(/, hits=2$/);
    expect(output('delete 1')).toBe('break 1 deleted');
    expect(output('c')).toBe(`nothing is left to run at ${machine.now} ns`);
    expect(process.load32(va + 19 * PAGE)).toBe(19);
  });

  it('tells of the first of several breaks that a turn hits, and counts them all', () => {
    storing(1);
    output('break page.alloc');
    output('break pmap.enter');
    output('break uvm.fault when va == 0');
    expect(ddb.execute('c').slice(0, 2)).toEqual([
      'break 1: page.alloc',
      expect.stringMatching(/ page\.alloc pa=0x\w+ owner=\d+ offset=0$/),
    ]);
    expect(ddb.execute('show breaks')).toEqual([
      // A page for the data, and one for the port's table.
      'break 1: page.alloc, hits=2',
      'break 2: pmap.enter, hits=1',
      'break 3: uvm.fault when va == 0, hits=0',
    ]);
    expect(ddb.execute('delete')).toEqual([
      'break 1 deleted',
      'break 2 deleted',
      'break 3 deleted',
    ]);
    expect(output('delete')).toBe('no breaks are set');
    expect(output('break')).toBe('no breaks are set');
    // Numbers are not given out again.
    expect(output('break page.free')).toBe('break 4: page.free');
  });

  it.each([
    ['va == 0x40010000', true],
    ['va != 0x40010000', false],
    ['va<0x40010001', true],
    ['va > 0x40010000', false],
    ['va <= 1073807360', true],
    ['pmap & 0x3', true],
    ['pmap & 2', false],
    ['prot >= 3 and prot <= 3', true],
    ['prot >= 3 and prot < 3', false],
  ])('a break may ask for %s', (condition, hit) => {
    expect(va).toBe(0x4001_0000);
    storing(1);
    output(`break pmap.enter when ${condition}`);
    expect(output('c').startsWith('break 1')).toBe(hit);
  });

  it('does not count what happens while nobody runs the machine', () => {
    output('break pmap.enter');
    process.store32(va, 1);
    expect(output('break')).toBe('break 1: pmap.enter, hits=0');
    expect(output('trace 1')).toContain('uvm.faultDone');
  });

  it('stops after so many turns', () => {
    storing(20);
    expect(output('c 5')).toBe(`still running after 5 turns, at ${machine.now} ns`);
  });

  it('tells of a panic, and of it again', () => {
    machine.start(process, function* (thread) {
      yield* thread.store32(va, 1);
      throw new KernelPanic('it cannot go on', { page: 7 });
    });
    output('break pmap.enter');
    expect(ddb.execute('c 1000').at(-1)).toMatch(/^(stopped at |panic: )/);
    output('c 1000');
    expect(machine.panic?.words).toBe('it cannot go on');
    expect(output('c')).toBe('the machine has stopped: panic: it cannot go on (page=7)');
    expect(output('step')).toContain('the machine has stopped: panic: it cannot go on');
    // What led there can still be looked at.
    expect(output(`print ${hex(va)}`)).toMatch(/: 0x00000001 /);
  });

  it('tells what a thread threw, and goes on with the others', () => {
    storing(3);
    // oxlint-disable-next-line require-yield -- it does not live that long
    machine.start(process, function* () {
      throw new RangeError('my mistake');
    });
    const lines = [output('c'), output('c')].join('\n');
    expect(lines).toContain('a thread threw RangeError: my mistake');
    expect(lines).toMatch(/nothing is left to run/);
    expect(process.load32(va + 2 * PAGE)).toBe(2);
  });

  it('ends in the same state as a run without a debugger', () => {
    const other = new Machine({ port: i386(), memory: 4 << 20 });
    const same = other.spawn();
    same.sys.mmap(0, 64 * PAGE, 3, MAP_ANON | MAP_PRIVATE);
    other.start(same, function* (thread) {
      for (let page = 0; page < 20; page++) {
        yield* thread.store32(va + page * PAGE, page);
        yield* thread.pause();
      }
    });
    other.run();
    storing(20);
    output('break pmap.enter');
    while (!output('c').startsWith('nothing')) output('show pmap 1');
    expect(machine.now).toBe(other.now);
    expect({ ...machine.uvm.exp }).toEqual({ ...other.uvm.exp });
  });
});

describe('step', () => {
  it('turns the clock once, or so often, and lists what happened', () => {
    storing(3);
    const lines = ddb.execute('step 2');
    expect(lines[0]).toMatch(/^#\d+ \d+ ns /);
    expect(lines.join('\n')).toContain(`uvm.faultDone map=1 va=${hex(va)} error=0`);
    expect(lines.at(-1)).toBe(`at ${machine.now} ns`);
    expect(lines.length).toBeLessThan(102);
  });

  it('stops at a break', () => {
    storing(20);
    output(`break pmap.enter when va == ${hex(va + 2 * PAGE)}`);
    expect(output('step 1000')).toContain('break 1: pmap.enter');
    expect(output(`print ${hex(va + 3 * PAGE)}`)).toMatch(/nobody has touched yet/);
  });

  it('says that it left out events before the last hundred', () => {
    storing(60);
    expect(ddb.execute('step 1000')[0]).toMatch(/^\d+ events before these$/);
  });
});

describe('trace', () => {
  it('lists the last events, the latest at the end', () => {
    const fresh = new Ddb(machine);
    expect(fresh.execute('trace')).toEqual(['nothing has happened yet']);
    process.store32(va, 1);
    expect(fresh.execute('trace 2')).toEqual([
      expect.stringMatching(/^#\d+ \d+ ns pmap\.update pmap=1$/),
      expect.stringMatching(/^#\d+ \d+ ns uvm\.faultDone map=1 va=0x40010000 error=0 case=\d+$/),
    ]);
    expect(fresh.execute('trace')[0]).toMatch(
      /^#0 \d+ ns mmu\.fault cpu=0 va=0x40010000 access=0x\d outcome=1$/,
    );
  });

  it('keeps as many as fit', () => {
    for (let i = 0; i < 3000; i++) machine.events.emit('proc.exit', i, -1);
    for (let i = 0; i < 3000; i++) machine.events.emit('uvm.promote', 1, i, -1, 4096);
    const lines = ddb.execute('trace 4096');
    expect(lines).toHaveLength(4096);
    expect(lines[0]).toMatch(/proc\.exit pid=1904 status=-1$/);
    expect(lines.at(-1)).toMatch(/uvm\.promote map=1 va=0xbb7 from=-1 to=0x1000$/);
  });

  it('ends when the debugger is closed', () => {
    ddb.close();
    expect(machine.events.watched).toBe(false);
    process.store32(va, 1);
    expect(output('trace 1')).not.toContain('faultDone');
  });

  it('show events tells what there is to break on', () => {
    expect(output('show events')).toContain('\npmap.enter: pmap va pa prot flags\n');
  });
});
