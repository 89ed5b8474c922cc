import { describe, expect, it } from 'vitest';
import { flat } from '../test/flat/port.ts';
import { NO_PA, PMAP_KERNEL, type PmapId, type Va } from './address.ts';
import { Amnesia } from './amnesia.ts';
import { bootBare, type BareMachine } from './bare.ts';
import { FAULT } from './mmu.ts';
import { type Port, TRAP_FAULT } from './port.ts';
import { ACCESS_USER, PMAP_WIRED, VM_PROT_READ, VM_PROT_WRITE } from './prot.ts';

const PAGE = 4096;
const RW = VM_PROT_READ | VM_PROT_WRITE;
const LOAD = VM_PROT_READ | ACCESS_USER;
const { kernelMin } = flat.layout;

/** The same port, taking the advice to copy mappings. */
const copying: Port = {
  ...flat,
  boot: (services) => {
    const md = flat.boot(services);
    md.pmap.copy = (dst, src, dstVa, length, srcVa) => {
      for (let at = 0; at < length; at += PAGE)
        md.pmap.enter(dst, dstVa + at, md.pmap.extract(src, srcVa + at), VM_PROT_READ, 0);
    };
    return md;
  },
};

/** A machine whose generator always draws the same. */
function sick(
  probability: number,
  drawn = 0,
  port: Port = flat,
): BareMachine & { amnesia: Amnesia; map: PmapId } {
  const amnesia = new Amnesia(probability, () => drawn);
  const bare = bootBare(amnesia.afflict(port));
  const map = bare.md.pmap.create();
  bare.md.pmap.activate(map);
  return Object.assign(bare, { amnesia, map });
}

describe('amnesia', () => {
  it('forgets nothing where it is not probable', () => {
    const { md, map, amnesia, ...bare } = sick(0.5, 0.5);
    const pa = bare.memory.size - PAGE;
    md.pmap.enter(map, 0x5000, pa, RW, RW);
    expect(md.mmus[0]!.translate(0x5004, LOAD)).toBe(pa + 4);
    expect([amnesia.strikes, amnesia.forgotten]).toEqual([0, 0]);
  });

  it('strikes before every access and every call where it is certain, but spares wired and kenter mappings', () => {
    const machine = sick(1);
    const { md, map, amnesia } = machine;
    const { pmap, mmus } = md;
    const pages = [0, 1, 2, 3].map(() => machine.takePage());
    pmap.enter(map, 0x5000, pages[0]!, RW, RW);
    pmap.enter(map, 0x6000, pages[1]!, RW, RW | PMAP_WIRED);
    pmap.enter(PMAP_KERNEL, kernelMin, pages[2]!, RW, RW);
    pmap.kenterPa(kernelMin + PAGE, pages[3]!, RW);
    expect(pmap.extract(map, 0x5000)).toBe(NO_PA);
    expect(pmap.extract(map, 0x6000)).toBe(pages[1]);
    expect(mmus[0]!.translate(kernelMin, VM_PROT_READ)).toBe(FAULT);
    expect(mmus[0]!.translate(kernelMin + PAGE, VM_PROT_READ)).toBe(pages[3]);
    expect(amnesia.forgotten).toBe(2);
    expect(amnesia.strikes).toBeGreaterThan(6);
  });

  it('forgets what was wired, once it is not any more', () => {
    const machine = sick(1);
    const { md, map, amnesia } = machine;
    md.pmap.enter(map, 0x5000, machine.takePage(), RW, RW | PMAP_WIRED);
    amnesia.step();
    expect(md.pmap.residentCount(map)).toBe(1);
    md.pmap.unwire(map, 0x5000);
    amnesia.step();
    expect(md.pmap.residentCount(map)).toBe(0);
  });

  it('forgets what a port has copied on advice', () => {
    const machine = sick(1, 0.5, copying);
    const { md, map, amnesia } = machine;
    const other = md.pmap.create();
    md.pmap.enter(map, 0x5000, machine.takePage(), RW, RW);
    md.pmap.copy(other, map, 0x8000, PAGE, 0x5000);
    expect(md.pmap.residentCount(other)).toBe(1);
    amnesia.step();
    expect([map, other].map((each) => md.pmap.residentCount(each))).toEqual([0, 0]);
  });

  it('asks a map for no more than was entered since it last forgot', () => {
    const machine = sick(1, 0.5);
    const { md, map, amnesia, events } = machine;
    for (const va of [0x5000, 0x9000, 0x6000]) md.pmap.enter(map, va, machine.takePage(), RW, RW);
    const asked: (readonly number[])[] = [];
    events.watch((name, ...values) => {
      if (name === 'pmap.forget') asked.push(values.map(Number));
    });
    amnesia.step();
    amnesia.step();
    expect(asked.map((values) => values.slice(0, 3))).toEqual([
      [map, 0x5000, 0x7000],
      [map, 0x9000, 0xa000],
    ]);
  });

  it('strikes maps that no CPU runs, and none that have gone', () => {
    const machine = sick(1);
    const { pmap } = machine.md;
    const other = pmap.create();
    pmap.reference(other);
    pmap.destroy(other);
    pmap.enter(other, 0x5000, machine.takePage(), RW, RW);
    expect(pmap.residentCount(other)).toBe(1);
    machine.amnesia.step();
    expect(pmap.residentCount(other)).toBe(0);
    pmap.destroy(other);
    expect(() => machine.amnesia.step()).not.toThrow();
  });

  it('strikes as often as it is likely', () => {
    let drawn = 0;
    const amnesia = new Amnesia(0.1, () => (drawn++ % 100) / 100);
    bootBare(amnesia.afflict(flat));
    for (let step = 0; step < 1000; step++) amnesia.step();
    expect(amnesia.strikes).toBe(100);
  });

  it('strikes at one call of a pmap where it strikes at sixteen accesses', () => {
    let drawn = 0;
    const amnesia = new Amnesia(0.5, () => (drawn++ % 64) / 64);
    const { md } = bootBare(amnesia.afflict(flat));
    for (let call = 0; call < 64; call++) md.pmap.update(PMAP_KERNEL);
    expect(amnesia.strikes).toBe(2);
    for (let access = 0; access < 64; access++) md.mmus[0]!.translate(kernelMin, VM_PROT_READ);
    expect(amnesia.strikes).toBe(34);
  });

  it.each([-0.1, 1.1, Number.NaN])('cannot strike with a probability of %d', (probability) => {
    expect(() => new Amnesia(probability, () => 0)).toThrow(RangeError);
  });
});

describe('an instruction that needs several pages at once, everything being forgotten at every step', () => {
  /** Makes one instruction after another through, as a kernel would; the faults that it took. */
  function execute(machine: BareMachine & { map: PmapId }, vas: readonly Va[]): number {
    const { md, map } = machine;
    for (let faults = 0; faults < 1000; faults++) {
      const missing = vas.find((va) => md.mmus[0]!.translate(va, LOAD) === FAULT);
      if (missing === undefined) return faults;
      expect([md.trap(0), md.fault.va]).toEqual([TRAP_FAULT, missing]);
      md.pmap.enter(map, missing - (missing % PAGE), frames.get(missing)!, RW, VM_PROT_READ);
      md.pmap.update(map);
    }
    throw new Error('the instruction makes no progress');
  }
  const frames = new Map<Va, number>();

  it.each([1, 2, 3, 4, 5, 6])('comes through with %d', (count) => {
    const machine = sick(1);
    const vas = Array.from({ length: count }, (_, n) => 0x5008 + n * PAGE);
    for (const va of vas) frames.set(va, machine.takePage());
    for (let round = 0; round < 3; round++)
      expect(execute(machine, vas)).toBeLessThanOrEqual(2 ** count - 1);
    expect(machine.amnesia.strikes).toBeGreaterThan(3 * count);
  });

  it('is not held up by faults whose access is never made again', () => {
    const machine = sick(1);
    const { md, map } = machine;
    for (let n = 0; n < 20; n++) {
      expect(md.mmus[0]!.translate(0x20000 + n * PAGE, LOAD)).toBe(FAULT);
      md.trap(0);
      md.pmap.enter(map, 0x20000 + n * PAGE, machine.takePage(), RW, VM_PROT_READ);
    }
    // Eight are kept, no more.
    machine.amnesia.step();
    expect(md.pmap.residentCount(map)).toBe(8);
    const vas = [0x5000, 0x6000];
    for (const va of vas) frames.set(va, machine.takePage());
    expect(execute(machine, vas)).toBeLessThanOrEqual(3);
  });
});
