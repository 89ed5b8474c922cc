import { describe, expect, it } from 'vitest';
import {
  ACCESS_USER,
  ACCESS_USERSPACE,
  EventStream,
  FAULT,
  PhysicalMemory,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { OeaMmu } from './mmu.ts';
import {
  decodePte,
  encodePte,
  primaryHash,
  pteHi,
  pteLo,
  ptegAddress,
  secondaryHash,
} from './pte.ts';

const SDR1 = 0x00100000;
const VSID = 0x12340;
const EA = 0x5000;
const PA = 0x200000;

function machine(): [OeaMmu, PhysicalMemory] {
  const memory = new PhysicalMemory(4 << 20, 4096);
  const mmu = new OeaMmu(memory);
  mmu.mtsdr1(SDR1);
  mmu.mtmsr(0x8030);
  return [mmu, memory];
}

function writePte(memory: PhysicalMemory, vsid: number, ea: number, lo: number, slot = 0): number {
  const pte = ptegAddress(SDR1, primaryHash(vsid, ea)) + slot * 8;
  memory.writeBe32(pte, pteHi(vsid, ea));
  memory.writeBe32(pte + 4, lo);
  return pte;
}

/** Programming Environments Manual, table 7-9 and 7-20: rights by key, then by PP. */
const PAGE_RIGHTS = [
  ['rw', 'rw', 'rw', 'r'],
  ['', 'r', 'rw', 'r'],
] as const;
/** Table 7-11: rights by PP of a BAT. */
const BAT_RIGHTS = ['', 'r', 'rw', 'r'] as const;

const bit = [0, 1] as const;
const ACCESSES = [
  ['r', VM_PROT_READ],
  ['w', VM_PROT_WRITE],
  ['rw', VM_PROT_READ | VM_PROT_WRITE],
  ['x', VM_PROT_EXECUTE],
] as const;

interface Setup {
  readonly ks: number;
  readonly kp: number;
  readonly n: number;
  readonly g: number;
  readonly pp: number;
  /** null: no BAT covers the address; else its PP and who may use it. */
  readonly bat: { readonly pp: number; readonly vs: number; readonly vp: number } | null;
}

/** The architecture's answer, as the fault's code or `ok`. */
function oracle(setup: Setup, user: boolean, access: string): string {
  const fetch = access === 'x';
  const wanted = fetch ? 'r' : access;
  const has = (rights: string): boolean =>
    Array.from(wanted).every((right) => rights.includes(right));
  const denied = fetch ? 'ISI 08000000' : `DSI ${access.includes('w') ? '0A000000' : '08000000'}`;
  if (setup.bat !== null && (user ? setup.bat.vp : setup.bat.vs) === 1)
    return has(BAT_RIGHTS[setup.bat.pp]!) ? 'ok' : denied;
  if (fetch && setup.n === 1) return 'ISI 10000000';
  const key = user ? setup.kp : setup.ks;
  if (!has(PAGE_RIGHTS[key]![setup.pp]!)) return denied;
  if (fetch && setup.g === 1) return 'ISI 10000000';
  return 'ok';
}

function outcome(mmu: OeaMmu, pa: number): string {
  if (pa !== FAULT) return 'ok';
  const code = mmu.vector === 0x300 ? mmu.dsisr : mmu.srr1 & 0x78000000;
  return `${mmu.vector === 0x300 ? 'DSI' : 'ISI'} ${code.toString(16).toUpperCase().padStart(8, '0')}`;
}

function* setups(): Generator<Setup> {
  const bats = [
    null,
    ...[0, 1, 2, 3].flatMap((pp) => bit.flatMap((vs) => bit.map((vp) => ({ pp, vs, vp })))),
  ];
  for (const ks of bit)
    for (const kp of bit)
      for (const n of bit)
        for (const g of bit)
          for (const pp of [0, 1, 2, 3]) for (const bat of bats) yield { ks, kp, n, g, pp, bat };
}

describe('protection on the OEA', () => {
  it('is the architecture’s for every key, PP, N, G, BAT, access and mode, on a miss and on a hit', () => {
    const wrong: string[] = [];
    let cases = 0;
    for (const setup of setups()) {
      const [mmu, memory] = machine();
      const sr = VSID | (setup.ks << 30) | (setup.kp << 29) | (setup.n << 28);
      mmu.mtsr(0, sr);
      mmu.loadUserSegments([sr, ...Array.from({ length: 15 }, () => 0)]);
      if (setup.bat !== null) {
        const upper = (setup.bat.vs << 1) | setup.bat.vp;
        mmu.mtdbat(1, upper, PA | setup.bat.pp);
        mmu.mtibat(1, upper, PA | setup.bat.pp);
      }
      for (const user of [false, true]) {
        for (const [name, bits] of ACCESSES) {
          mmu.flushAll();
          const pte = writePte(memory, VSID, EA, pteLo(PA, (setup.g << 3) | setup.pp));
          const access = bits | (user ? ACCESS_USER : 0);
          const want = oracle(setup, user, name);
          const batted = setup.bat !== null && (user ? setup.bat.vp : setup.bat.vs) === 1;
          const first = outcome(mmu, mmu.translate(EA, access));
          const lo = memory.readBe32(pte + 4);
          // Warm the TLB by the kindest access, then ask again.
          for (const [, kind] of ACCESSES) mmu.translate(EA, kind | (user ? ACCESS_USER : 0));
          const second = outcome(mmu, mmu.translate(EA, access));
          const marks = want === 'ok' && !batted ? (name.includes('w') ? 0x180 : 0x100) : 0;
          cases++;
          if (first !== want || second !== want || (lo & 0x180) !== marks)
            wrong.push(
              `${JSON.stringify(setup)} ${user ? 'user' : 'kernel'} ${name}: ${first}, ${second}, wanted ${want}`,
            );
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(cases).toBe(2 * 2 * 2 * 2 * 4 * 17 * 2 * 4);
  });

  it('lets a fetch and a load in one through only if both may', () => {
    const [mmu, memory] = machine();
    mmu.mtsr(0, VSID);
    writePte(memory, VSID, EA, pteLo(PA, 2));
    const both = VM_PROT_READ | VM_PROT_EXECUTE;
    expect(mmu.translate(EA + 4, both)).toBe(PA + 4);
    mmu.mtsr(0, VSID | 0x10000000);
    expect(mmu.translate(EA + 4, both)).toBe(FAULT);
    expect(mmu.vector).toBe(0x400);
  });
});

describe('the OEA’s TLBs', () => {
  it('keep a stale translation until tlbie', () => {
    const [mmu, memory] = machine();
    mmu.mtsr(0, VSID);
    const pte = writePte(memory, VSID, EA, pteLo(PA, 2));
    mmu.translate(EA, VM_PROT_READ);
    memory.writeBe32(pte, 0);
    expect(mmu.translate(EA, VM_PROT_READ)).toBe(PA);
    mmu.tlbie(EA);
    expect(mmu.translate(EA, VM_PROT_READ)).toBe(FAULT);
  });

  it('forget what a hit showed when a segment register, a BAT, the MSR or another entry says otherwise', () => {
    const [mmu, memory] = machine();
    const often = () => [1, 2, 3].map(() => mmu.translate(EA, VM_PROT_READ));
    mmu.mtsr(0, VSID);
    writePte(memory, VSID, EA, pteLo(PA, 2));
    writePte(memory, VSID + 0x100, EA, pteLo(PA + 0x1000, 2));
    expect(often()).toEqual([PA, PA, PA]);
    mmu.mtsr(0, VSID + 0x100);
    expect(often()).toEqual([PA + 0x1000, PA + 0x1000, PA + 0x1000]);
    mmu.mtdbat(0, 0x00000002, 0x00000002);
    expect(often()).toEqual([EA, EA, EA]);
    mmu.mtdbat(0, 0, 0);
    mmu.mtmsr(0);
    expect(often()).toEqual([EA, EA, EA]);
    mmu.mtmsr(0x8030);
    expect(often()).toEqual([PA + 0x1000, PA + 0x1000, PA + 0x1000]);
    expect(mmu.stats.lookups).toBe(15);
    expect(mmu.mftb()).toBe(15);
  });

  it('forget what a hit showed when two other pages of its class come', () => {
    const [mmu, memory] = machine();
    mmu.mtsr(0, VSID);
    const pte = writePte(memory, VSID, EA, pteLo(PA, 2));
    for (const far of [0x40000, 0x80000]) writePte(memory, VSID, EA + far, pteLo(PA, 2));
    for (let time = 0; time < 3; time++) mmu.translate(EA, VM_PROT_READ);
    for (const far of [0x40000, 0x80000]) mmu.translate(EA + far, VM_PROT_WRITE);
    memory.writeBe32(pte, 0);
    expect(mmu.translate(EA, VM_PROT_READ)).toBe(FAULT);
  });

  it('let no store pass on the strength of loads: the first sets C', () => {
    const [mmu, memory] = machine();
    mmu.mtsr(0, VSID);
    const pte = writePte(memory, VSID, EA, pteLo(PA, 2));
    for (const need of [VM_PROT_READ, VM_PROT_READ, VM_PROT_READ]) mmu.translate(EA, need);
    expect(memory.readBe32(pte + 4) & 0x80).toBe(0);
    expect(mmu.translate(EA, VM_PROT_WRITE)).toBe(PA);
    expect(memory.readBe32(pte + 4) & 0x80).toBe(0x80);
  });

  it('keep loads and fetches apart', () => {
    const [mmu, memory] = machine();
    mmu.mtsr(0, VSID);
    writePte(memory, VSID, EA, pteLo(PA, 2));
    mmu.translate(EA, VM_PROT_READ);
    expect(mmu.stats.misses).toBe(1);
    mmu.translate(EA, VM_PROT_EXECUTE);
    expect(mmu.stats.misses).toBe(2);
    mmu.translate(EA, VM_PROT_READ);
    mmu.translate(EA, VM_PROT_EXECUTE);
    expect(mmu.stats.misses).toBe(2);
  });

  it('hear each other’s tlbie on a 604’s bus, and are told of as shootdowns', () => {
    const memory = new PhysicalMemory(4 << 20, 4096);
    const events = new EventStream();
    const bus: OeaMmu[] = [];
    const cpus = [0, 1].map((cpu) => new OeaMmu(memory, cpu, '604', bus, events));
    for (const mmu of cpus) {
      mmu.mtsdr1(SDR1);
      mmu.mtmsr(0x8030);
      mmu.mtsr(0, VSID);
    }
    const pte = writePte(memory, VSID, EA, pteLo(PA, 2));
    for (const mmu of cpus) mmu.translate(EA, VM_PROT_READ);
    const seen: string[] = [];
    events.watch((name, a, b) => seen.push(`${name} ${a} ${b}`));
    memory.writeBe32(pte, 0);
    cpus[0]!.tlbie(EA);
    expect(cpus[1]!.translate(EA, VM_PROT_READ)).toBe(FAULT);
    expect(seen).toContain('tlb.shootdown 0 1');
  });

  it.each(['603', '750'] as const)('of a %s hear nothing from elsewhere', (model) => {
    const memory = new PhysicalMemory(4 << 20, 4096);
    const bus: OeaMmu[] = [];
    const [first, second] = [0, 1].map((cpu) => new OeaMmu(memory, cpu, model, bus)) as [
      OeaMmu,
      OeaMmu,
    ];
    second.mtsdr1(SDR1);
    second.mtmsr(0x8030);
    second.mtsr(0, VSID);
    writePte(memory, VSID, EA, pteLo(PA, 2));
    second.translate(EA, VM_PROT_READ);
    first.tlbie(EA);
    expect(second.stats.pageFlushes).toBe(0);
  });

  it.each([
    ['603', 32],
    ['604', 64],
    ['750', 64],
  ] as const)('of a %s have %i classes of two ways', (model, sets) => {
    const mmu = new OeaMmu(new PhysicalMemory(1 << 20, 4096), 0, model);
    expect([mmu.dtlb.sets, mmu.dtlb.ways, mmu.itlb.sets, mmu.itlb.ways]).toEqual([
      sets,
      2,
      sets,
      2,
    ]);
  });
});

describe('copyin’s window', () => {
  it('shows the user segment to the supervisor, in supervisor state', () => {
    const [mmu, memory] = machine();
    const user = Array.from({ length: 16 }, (_, segment) => 0x20000000 | 0x700 | segment);
    mmu.loadUserSegments(user);
    // PP 00: only key 0, the supervisor's, may.
    writePte(memory, 0x703, 0x30005000, pteLo(PA, 0));
    expect(mmu.translate(0x30005010, VM_PROT_READ | ACCESS_USER)).toBe(FAULT);
    expect(mmu.translate(0x30005010, VM_PROT_READ | ACCESS_USERSPACE)).toBe(PA + 0x10);
    expect(mmu.windowSegment).toBe(3);
    expect(mmu.translate(0x40005010, VM_PROT_READ | ACCESS_USERSPACE)).toBe(FAULT);
    expect(mmu.dar).toBe(0xc0005010);
    expect(mmu.windowSegment).toBe(4);
  });

  it('follows the segment registers of the process that runs', () => {
    const [mmu, memory] = machine();
    writePte(memory, 0x100, EA, pteLo(PA, 2));
    writePte(memory, 0x200, EA, pteLo(PA + 0x1000, 2), 1);
    mmu.loadUserSegments(Array.from({ length: 16 }, () => 0x100));
    expect(mmu.translate(EA, VM_PROT_READ | ACCESS_USERSPACE)).toBe(PA);
    mmu.loadUserSegments(Array.from({ length: 16 }, () => 0x200));
    expect(mmu.translate(EA, VM_PROT_READ | ACCESS_USERSPACE)).toBe(PA + 0x1000);
  });

  it('knows which segment it shows, also between segments that are the same', () => {
    const [mmu, memory] = machine();
    writePte(memory, 0x100, EA, pteLo(PA, 2));
    mmu.loadUserSegments(Array.from({ length: 16 }, () => 0x100));
    const shown = [0, 0, 1, 1, 0, 0].map((segment) => {
      mmu.translate(segment * 0x10000000 + EA, VM_PROT_READ | ACCESS_USERSPACE);
      return mmu.windowSegment;
    });
    expect(shown).toEqual([0, 0, 1, 1, 0, 0]);
  });
});

describe('registers and formats', () => {
  it('refuse an SDR1 that no processor could use', () => {
    const [mmu] = machine();
    expect(() => mmu.mtsdr1(0x00100002)).toThrow(RangeError);
    expect(() => mmu.mtsdr1(0x00110001)).toThrow(RangeError);
  });

  it('work the example of the reference: VSID 45678, EA 00ABC123', () => {
    const hash = primaryHash(0x45678, 0x00abc123);
    expect(hash).toBe(0x45cc4);
    expect(ptegAddress(0x00400003, hash)).toBe(0x433100);
    expect(pteHi(0x45678, 0x00abc123)).toBe(0x822b3c02);
    expect(secondaryHash(primaryHash(0x45678, 0x00abd000))).toBe(0x3a33a);
    expect(ptegAddress(0x00400003, 0x3a33a)).toBe(0x40ce80);
  });

  it('survive being taken apart and put together', () => {
    for (const [hi, lo] of [
      [0x8091a000, 0x00200182],
      [0x7fffffff, 0xfffff1fb],
      [0, 0],
    ] as const)
      expect(encodePte(decodePte(hi, lo))).toEqual([hi, lo]);
  });

  it('are shown by the manual’s names', () => {
    const [mmu] = machine();
    mmu.mtsr(13, 0x00fffffd);
    mmu.mtdbat(0, 0x00001ffe, 0x12);
    const registers = mmu.registers();
    expect(registers['SR13']).toBe(0x00fffffd);
    expect(registers['DBAT0U']).toBe(0x1ffe);
    expect(mmu.describeFault()).toBe('no fault');
  });
});
