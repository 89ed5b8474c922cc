import {
  SCOPE_ALL,
  SCOPE_NONGLOBAL,
  ACCESS_USER,
  EventStream,
  FAULT,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
  type Access,
} from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { TracedMemory } from '../test/bus.ts';
import { allowed, faultCode, type Kind } from '../test/oracle.ts';
import { WALK_VECTORS, type WalkVector } from '../test/walk.vectors.ts';
import { CR0_PE, CR0_PG, CR0_WP, CR4_PGE, CR4_PSE, I386Mmu, type I386MmuOptions } from './mmu.ts';

const READ = VM_PROT_READ;
const WRITE = VM_PROT_WRITE;
const FETCH = VM_PROT_EXECUTE;
const USER = ACCESS_USER;
const BITS: Readonly<Record<Kind, Access>> = { read: READ, write: WRITE, fetch: FETCH };

const PD = 0x1000;
const VA = 0x08048abc;
const PDE = 0x1080;
const PTE = 0x2120;

interface Rig {
  readonly memory: TracedMemory;
  readonly mmu: I386Mmu;
}

function rig(options: I386MmuOptions & { wp?: boolean; pse?: boolean; pge?: boolean } = {}): Rig {
  const memory = new TracedMemory(8 << 20, 4096);
  const mmu = new I386Mmu(memory, options);
  mmu.writeCr3(PD);
  mmu.writeCr4((options.pse === true ? CR4_PSE : 0) | (options.pge === true ? CR4_PGE : 0));
  mmu.writeCr0(CR0_PE | CR0_PG | (options.wp === true ? CR0_WP : 0));
  return { memory, mmu };
}

/** The words listed, without those that a vector lists to say that they are zero. */
function nonZero(words: Readonly<Record<number, string>>): Record<number, string> {
  return Object.fromEntries(Object.entries(words).filter(([, bytes]) => bytes !== '00 00 00 00'));
}

/** The rig of the TLB sequences: a PDE that grants all, and one PTE. */
function oneTable(pte: number, options: Parameters<typeof rig>[0] = {}): Rig {
  const it = rig(options);
  it.memory.writeLe32(PDE, 0x2007);
  it.memory.writeLe32(PTE, pte);
  return it;
}

describe('the walk', () => {
  const KINDS: Readonly<Record<string, Access>> = { r: READ, w: WRITE, x: FETCH };

  function run(vector: WalkVector, options: I386MmuOptions = {}): Rig & { pa: number } {
    const { memory, mmu } = rig({ wp: vector.wp, pse: vector.pse, ...options });
    for (const [pa, bytes] of Object.entries(vector.before)) memory.poke(Number(pa), bytes);
    memory.trace = [];
    const [kind, mode] = vector.access.split('/');
    const pa = mmu.translate(vector.va, KINDS[kind!]! | (mode === 'u' ? USER : 0));
    return { memory, mmu, pa };
  }

  it.each(WALK_VECTORS)('$name: $access', (vector) => {
    const { memory, mmu, pa } = run(vector);
    if ('pa' in vector.result) expect(pa).toBe(vector.result.pa);
    else {
      expect(pa).toBe(FAULT);
      expect({ errorCode: mmu.errorCode, cr2: mmu.cr2 }).toEqual(vector.result);
    }
    expect(memory.words()).toEqual(nonZero({ ...vector.before, ...vector.after }));
    expect(memory.trace.join(' ')).toBe(vector.bus);
  });

  it.each(WALK_VECTORS)(
    '$name: writes nothing when it faults, if A is set on success only',
    (vector) => {
      const { memory, mmu, pa } = run(vector, { accessedOnFault: false });
      if ('pa' in vector.result) {
        expect(pa).toBe(vector.result.pa);
        expect(memory.words()).toEqual(nonZero({ ...vector.before, ...vector.after }));
      } else {
        expect({ errorCode: mmu.errorCode, cr2: mmu.cr2 }).toEqual(vector.result);
        expect(memory.words()).toEqual(nonZero(vector.before));
      }
    },
  );

  it('fills no TLB entry when it faults', () => {
    const { memory, mmu } = oneTable(0x00345001);
    expect(mmu.translate(VA, READ | USER)).toBe(FAULT);
    memory.trace = [];
    expect(mmu.translate(VA, READ | USER)).toBe(FAULT);
    expect(memory.trace).toEqual(['R00001080', 'R00002120']);
  });

  it('needs none with paging off: the physical address is the linear one', () => {
    const mmu = new I386Mmu(new TracedMemory(8 << 20, 4096));
    expect(mmu.translate(0xfffffff0, WRITE | USER)).toBe(0xfffffff0);
    expect(mmu.stats).toMatchObject({ lookups: 1, misses: 0, faults: 0 });
  });

  it('checks an access that reads and writes as a write', () => {
    const { mmu } = oneTable(0x00345005);
    expect(mmu.translate(VA, READ | WRITE | USER)).toBe(FAULT);
    expect(mmu.errorCode).toBe(7);
  });

  it('reports frames and addresses above 2 GB as unsigned numbers', () => {
    const { memory, mmu } = rig({ pse: true });
    memory.writeLe32(PD + 4 * 1023, 0xffc00083);
    expect(mmu.translate(0xffffffff, WRITE)).toBe(0xffffffff);
    memory.writeLe32(PD + 4 * 512, 0x2007);
    memory.writeLe32(0x2000, 0xfedcb007);
    expect(mmu.translate(0x80000123, READ)).toBe(0xfedcb123);
    expect(memory.readLe32(0x2000)).toBe(0xfedcb027);
  });

  it('faults with P and RSVD for every reserved bit of a large page, whatever its rights', () => {
    for (let bit = 13; bit <= 21; bit++) {
      for (const [access, code] of [
        [READ, 9],
        [WRITE, 11],
        [READ | USER, 13],
        [WRITE | USER, 15],
      ] as const) {
        const { memory, mmu } = rig({ wp: true, pse: true });
        memory.writeLe32(0x1c04, 0x00400081 | (1 << bit));
        expect(mmu.translate(0xc0523abc, access)).toBe(FAULT);
        expect(mmu.errorCode).toBe(code);
        expect(memory.readLe32(0x1c04)).toBe(0x00400081 | (1 << bit));
      }
    }
  });

  it('takes bit 12 of a large page for PAT, not for a reserved bit', () => {
    const { memory, mmu } = rig({ pse: true });
    memory.writeLe32(0x1c04, 0x00401083);
    expect(mmu.translate(0xc0523abc, READ)).toBe(0x00523abc);
  });

  it('describes a fault in the words of the manual', () => {
    const { mmu } = oneTable(0x00345005);
    mmu.translate(VA, WRITE | USER);
    expect(mmu.describeFault()).toBe('#PF error code 7 (protection, write, user), CR2 0x08048abc');
  });
});

describe('permissions, every combination against the table of the manual', () => {
  const booleans = [false, true];
  const kinds: readonly Kind[] = ['read', 'write', 'fetch'];

  function expectAccess(r: Rig, kind: Kind, user: boolean, ok: boolean): void {
    const pa = r.mmu.translate(VA, BITS[kind] | (user ? USER : 0));
    if (ok) expect(pa).toBe(0x00345abc);
    else {
      expect(pa).toBe(FAULT);
      expect(r.mmu.errorCode).toBe(faultCode(true, kind, user));
    }
  }

  const small = booleans.flatMap((wp) =>
    kinds.flatMap((kind) =>
      booleans.flatMap((user) =>
        [0, 1, 2, 3].flatMap((pde) => [0, 1, 2, 3].map((pte) => ({ wp, kind, user, pde, pte }))),
      ),
    ),
  );

  it.each(small)('4 KB: WP $wp, $kind, user $user, PDE $pde, PTE $pte', (c) => {
    const both = c.pde & c.pte;
    const ok = allowed(c.kind, c.user, c.wp, (both & 2) !== 0, (both & 1) !== 0);
    for (const globalBit of [0, 0x100]) {
      const r = rig({ wp: c.wp, pge: true });
      r.memory.writeLe32(PDE, 0x2001 | (c.pde << 1));
      r.memory.writeLe32(PTE, 0x00345001 | (c.pte << 1) | globalBit);
      expectAccess(r, c.kind, c.user, ok);
      const leaf = r.memory.readLe32(PTE);
      expect(leaf & 0x60).toBe(ok ? (c.kind === 'write' ? 0x60 : 0x20) : 0);
      expect(r.memory.readLe32(PDE) & 0x60).toBe(0x20);
      // The same again, from a TLB warmed by a supervisor's read: no right may come from there.
      r.mmu.translate(VA, READ);
      expectAccess(r, c.kind, c.user, ok);
    }
  });

  it.each(small.filter((c) => c.pte === 0))('4 MB: WP $wp, $kind, user $user, PDE $pde', (c) => {
    const r = rig({ wp: c.wp, pse: true });
    r.memory.writeLe32(PDE, 0x00000081 | (c.pde << 1));
    const ok = allowed(c.kind, c.user, c.wp, (c.pde & 2) !== 0, (c.pde & 1) !== 0);
    const pa = r.mmu.translate(VA, BITS[c.kind] | (c.user ? USER : 0));
    expect(pa).toBe(ok ? 0x00048abc : FAULT);
    if (!ok) expect(r.mmu.errorCode).toBe(faultCode(true, c.kind, c.user));
    expect(r.memory.readLe32(PDE) & 0x60).toBe(ok ? (c.kind === 'write' ? 0x60 : 0x20) : 0);
  });

  it.each(small.filter((c) => c.pte === 0 && !c.wp))(
    'absent: $kind, user $user, rights $pde',
    (c) => {
      for (const level of ['PDE', 'PTE']) {
        const r = rig();
        r.memory.writeLe32(PDE, 0x2000 | (level === 'PDE' ? c.pde << 1 : 7));
        r.memory.writeLe32(PTE, 0x00345000 | (level === 'PTE' ? c.pde << 1 : 7));
        expect(r.mmu.translate(VA, BITS[c.kind] | (c.user ? USER : 0))).toBe(FAULT);
        expect(r.mmu.errorCode).toBe(faultCode(false, c.kind, c.user));
      }
    },
  );
});

describe('the TLBs', () => {
  it('S1: keep a translation that memory no longer has, until INVLPG', () => {
    const { memory, mmu } = oneTable(0x00345007);
    expect(mmu.translate(VA, READ | USER)).toBe(0x00345abc);
    memory.writeLe32(PTE, 0x00999007);
    expect(mmu.translate(VA, READ | USER)).toBe(0x00345abc);
    mmu.invlpg(VA);
    expect(mmu.translate(VA, READ | USER)).toBe(0x00999abc);
  });

  it('S2: walk a second time to set D', () => {
    const { memory, mmu } = oneTable(0x00345007);
    mmu.translate(VA, READ | USER);
    expect(memory.readLe32(PTE)).toBe(0x00345027);
    mmu.translate(VA, WRITE | USER);
    expect(memory.readLe32(PTE)).toBe(0x00345067);
    expect(mmu.stats.misses).toBe(2);
  });

  it('S3: lose a D that software clears without a flush', () => {
    const { memory, mmu } = oneTable(0x00345067);
    mmu.translate(VA, WRITE | USER);
    memory.writeLe32(PTE, 0x00345027);
    mmu.translate(VA, WRITE | USER);
    expect(memory.readLe32(PTE)).toBe(0x00345027);
    mmu.invlpg(VA);
    mmu.translate(VA, WRITE | USER);
    expect(memory.readLe32(PTE)).toBe(0x00345067);
  });

  it('S4: let a write through after R/W is cleared without a flush', () => {
    const { memory, mmu } = oneTable(0x00345067);
    mmu.translate(VA, WRITE | USER);
    memory.writeLe32(PTE, 0x00345065);
    expect(mmu.translate(VA, WRITE | USER)).toBe(0x00345abc);
    mmu.invlpg(VA);
    expect(mmu.translate(VA, WRITE | USER)).toBe(FAULT);
    expect(mmu.errorCode).toBe(7);
  });

  it('S5: never fault from stale bits, so that granting a right needs no flush', () => {
    const { memory, mmu } = oneTable(0x00345005);
    mmu.translate(VA, READ | USER);
    memory.writeLe32(PTE, 0x00345007);
    expect(mmu.translate(VA, WRITE | USER)).toBe(0x00345abc);
    expect(memory.readLe32(PTE)).toBe(0x00345067);
  });

  it.each([
    { size: '4 KB', stores: [[0x348c, 0x00523001]] },
    { size: '4 MB', stores: [[0x1c00, 0x00400081]] },
  ] as const)(
    'drop a $size entry that did not suffice, even if the walk then faults',
    ({ stores }) => {
      const { memory, mmu } = rig({ pse: true, wp: true });
      memory.writeLe32(0x1c00, 0x3003);
      for (const [pa, word] of stores) memory.writeLe32(pa, word);
      expect(mmu.translate(0xc0123456, READ)).toBe(0x00523456);
      for (const [pa] of stores) memory.writeLe32(pa, 0);
      expect(mmu.translate(0xc0123456, READ)).toBe(0x00523456);
      expect(mmu.translate(0xc0123456, WRITE)).toBe(FAULT);
      expect(mmu.translate(0xc0123456, READ)).toBe(FAULT);
    },
  );

  it('S6: keep a global page over a load of CR3, and drop it by INVLPG', () => {
    const { memory, mmu } = rig({ pge: true });
    memory.writeLe32(0x1c00, 0x00003003);
    memory.writeLe32(0x348c, 0x00789103);
    expect(mmu.translate(0xc0123456, READ)).toBe(0x00789456);
    memory.writeLe32(0x348c, 0x00aaa103);
    mmu.writeCr3(mmu.cr3);
    expect(mmu.translate(0xc0123456, READ)).toBe(0x00789456);
    mmu.invlpg(0xc0123456);
    expect(mmu.translate(0xc0123456, READ)).toBe(0x00aaa456);
  });

  it('S7: hold nothing of an absent page', () => {
    const { memory, mmu } = oneTable(0);
    expect(mmu.translate(VA, READ | USER)).toBe(FAULT);
    expect(mmu.errorCode).toBe(4);
    memory.writeLe32(PTE, 0x00345005);
    expect(mmu.translate(VA, READ | USER)).toBe(0x00345abc);
  });

  it('S8: hold a large page as one entry, dropped whole by INVLPG of any address in it', () => {
    const { memory, mmu } = rig({ pse: true });
    memory.writeLe32(0x1c04, 0x00400083);
    expect(mmu.translate(0xc0523abc, READ)).toBe(0x00523abc);
    memory.writeLe32(0x1c04, 0x00800083);
    expect(mmu.translate(0xc0412345, READ)).toBe(0x00412345);
    mmu.invlpg(0xc07ff000);
    expect(mmu.translate(0xc0412345, READ)).toBe(0x00812345);
  });

  it('walk again to set D of a large page', () => {
    const { memory, mmu } = rig({ pse: true });
    memory.writeLe32(0x1c04, 0x00400083);
    mmu.translate(0xc0523abc, READ);
    expect(memory.readLe32(0x1c04)).toBe(0x004000a3);
    mmu.translate(0xc0523abc, WRITE);
    expect(memory.readLe32(0x1c04)).toBe(0x004000e3);
  });

  it('are two, for data and for instructions, each stale by itself', () => {
    const { memory, mmu } = oneTable(0x00345007);
    mmu.translate(VA, FETCH | USER);
    memory.writeLe32(PTE, 0x00999007);
    expect(mmu.translate(VA, READ | USER)).toBe(0x00999abc);
    expect(mmu.translate(VA, FETCH | USER)).toBe(0x00345abc);
    mmu.invlpg(VA);
    expect(mmu.translate(VA, FETCH | USER)).toBe(0x00999abc);
  });

  it('are one on an i486', () => {
    const { memory, mmu } = oneTable(0x00345007, { processor: 'i486' });
    mmu.translate(VA, FETCH | USER);
    memory.writeLe32(PTE, 0x00999007);
    expect(mmu.translate(VA, READ | USER)).toBe(0x00345abc);
  });

  it('have 64 entries for data in sets of four', () => {
    const { memory, mmu } = rig();
    memory.writeLe32(PD, 0x2007);
    for (let page = 0; page < 80; page++) memory.writeLe32(0x2000 + page * 4, (page << 12) | 7);
    for (let page = 0; page < 64; page++) mmu.translate(page << 12, READ);
    memory.trace = [];
    for (let page = 0; page < 64; page++) mmu.translate(page << 12, READ);
    expect(memory.trace).toEqual([]);
    mmu.translate(64 << 12, READ);
    memory.trace = [];
    mmu.translate(0, READ);
    expect(memory.trace).toHaveLength(2);
  });

  const OPERATIONS: readonly {
    name: string;
    run: (mmu: I386Mmu) => void;
    keeps: { plain: boolean; global: boolean };
  }[] = [
    { name: 'a load of CR3', run: (m) => m.writeCr3(m.cr3), keeps: { plain: false, global: true } },
    { name: 'INVLPG', run: (m) => m.invlpg(0xc0123000), keeps: { plain: false, global: false } },
    {
      name: 'a toggle of CR4.PGE',
      run: (m) => {
        m.writeCr4(m.cr4 & ~CR4_PGE);
        m.writeCr4(m.cr4 | CR4_PGE);
      },
      keeps: { plain: false, global: false },
    },
    {
      name: 'a change of CR4.PSE',
      run: (m) => {
        m.writeCr4(m.cr4 ^ CR4_PSE);
        m.writeCr4(m.cr4 ^ CR4_PSE);
      },
      keeps: { plain: false, global: false },
    },
    {
      name: 'paging off and on',
      run: (m) => {
        m.writeCr0(m.cr0 & ~CR0_PG);
        m.writeCr0(m.cr0 | CR0_PG);
      },
      keeps: { plain: false, global: false },
    },
    {
      name: 'a change of CR0.WP',
      run: (m) => {
        m.writeCr0(m.cr0 ^ CR0_WP);
        m.writeCr0(m.cr0 ^ CR0_WP);
      },
      keeps: { plain: true, global: true },
    },
    {
      name: 'CR4 rewritten unchanged',
      run: (m) => m.writeCr4(m.cr4),
      keeps: { plain: true, global: true },
    },
    {
      name: "another CPU's flush",
      run: (m) => new I386Mmu(new TracedMemory(4096, 4096), { cpu: m.cpu + 1 }).flushAll(),
      keeps: { plain: true, global: true },
    },
  ];

  const invalidation = OPERATIONS.flatMap((operation) =>
    (['plain', 'global'] as const).flatMap((kind) =>
      (['4 KB', '4 MB'] as const).flatMap((size) =>
        (['read', 'fetch'] as const).map((path) => ({
          operation: operation.name,
          run: operation.run,
          kept: operation.keeps[kind],
          kind,
          size,
          path,
        })),
      ),
    ),
  );

  it.each(invalidation)('$operation: a $kind $size page by $path is kept: $kept', (c) => {
    const { memory, mmu } = rig({ pge: true, pse: true });
    const globalBit = c.kind === 'global' ? 0x100 : 0;
    const store = (frame: number): void => {
      memory.writeLe32(0x1c00, c.size === '4 MB' ? frame | 0x83 | globalBit : 0x3003);
      if (c.size === '4 KB') memory.writeLe32(0x348c, frame | 0x123000 | 3 | globalBit);
    };
    store(0x00400000);
    expect(mmu.translate(0xc0123456, BITS[c.path])).toBe(0x00523456);
    store(0x00800000);
    c.run(mmu);
    expect(mmu.translate(0xc0123456, BITS[c.path])).toBe(c.kept ? 0x00523456 : 0x00923456);
  });

  it('apply WP at each access to what they hold', () => {
    const { mmu } = oneTable(0x00345065);
    for (let i = 0; i < 3; i++) expect(mmu.translate(VA, WRITE)).toBe(0x00345abc);
    mmu.writeCr0(mmu.cr0 | CR0_WP);
    expect(mmu.translate(VA, WRITE)).toBe(FAULT);
    expect(mmu.errorCode).toBe(3);
  });

  it('ignore G while CR4.PGE is clear', () => {
    const { memory, mmu } = oneTable(0x00345107);
    mmu.translate(VA, READ | USER);
    memory.writeLe32(PTE, 0x00999107);
    mmu.writeCr3(mmu.cr3);
    expect(mmu.translate(VA, READ | USER)).toBe(0x00999abc);
  });

  it('show what each flush let in, over thousands of flushes', () => {
    const { memory, mmu } = oneTable(0);
    const seen = new Set<number>();
    for (let i = 1; i <= 5000; i++) {
      memory.writeLe32(PTE, (i << 12) | 7);
      if (i % 2 === 0) mmu.writeCr3(PD);
      else mmu.invlpg(VA);
      seen.add(mmu.translate(VA, READ | USER) - (i << 12));
      seen.add(mmu.translate(VA, READ | USER) - (i << 12));
    }
    expect([...seen]).toEqual([0xabc]);
  });

  it('show it after any number of flushes, whatever was used long before', () => {
    const { memory, mmu } = oneTable(0);
    const seen = new Set<number>();
    for (let flushes = 2040; flushes <= 2056; flushes++) {
      memory.writeLe32(PTE, 0x00345007);
      mmu.invlpg(VA);
      mmu.translate(VA, READ | USER);
      mmu.translate(VA, READ | USER);
      memory.writeLe32(PTE, 0x00999007);
      for (let i = 0; i < flushes; i++) mmu.invlpg(VA);
      seen.add(mmu.translate(VA, READ | USER));
    }
    expect([...seen]).toEqual([0x00999abc]);
  });

  it('report their flushes to whoever watches', () => {
    const events = new EventStream();
    const seen: string[] = [];
    const { mmu } = rig({ cpu: 3, events, pge: true });
    events.watch((name, a, b) => seen.push(`${name} ${a} ${b}`));
    mmu.invlpg(0x5123);
    mmu.writeCr3(PD);
    mmu.flushAll();
    expect(seen).toEqual([
      'tlb.flushPage 3 20771',
      `tlb.flush 3 ${SCOPE_NONGLOBAL}`,
      `tlb.flush 3 ${SCOPE_ALL}`,
    ]);
  });
});

describe('the members of the family', () => {
  it('80386: the supervisor writes wherever it likes, and CR0.WP reads as 0', () => {
    const { mmu } = oneTable(0x00345005, { processor: '80386', wp: true });
    expect(mmu.cr0 & CR0_WP).toBe(0);
    expect(mmu.translate(VA, WRITE)).toBe(0x00345abc);
  });

  it('80386: has no INVLPG, and a load of CR3 drops everything', () => {
    const { memory, mmu } = oneTable(0x00345107, { processor: '80386' });
    expect(() => mmu.invlpg(VA)).toThrow(
      new RangeError('the 80386 has no INVLPG: load CR3 instead'),
    );
    mmu.translate(VA, READ | USER);
    memory.writeLe32(PTE, 0x00999107);
    mmu.writeCr3(mmu.cr3);
    expect(mmu.translate(VA, READ | USER)).toBe(0x00999abc);
  });

  it.each([
    ['80386', CR4_PSE],
    ['i486', CR4_PGE],
    ['pentium', CR4_PGE],
  ] as const)('%s: refuses the CR4 bit %i that it lacks', (processor, bit) => {
    expect(() => rig({ processor }).mmu.writeCr4(bit)).toThrow(RangeError);
  });

  it('i486: takes PS in a PDE for nothing', () => {
    const { memory, mmu } = rig({ processor: 'i486' });
    memory.writeLe32(PDE, 0x2087);
    memory.writeLe32(PTE, 0x00345007);
    expect(mmu.translate(VA, READ | USER)).toBe(0x00345abc);
  });

  it('refuses paging without protected mode', () => {
    const mmu = new I386Mmu(new TracedMemory(4096, 4096));
    expect(() => mmu.writeCr0(CR0_PG)).toThrow(/PG without PE/);
  });

  it('keeps PWT and PCD in CR3, without effect on the walk', () => {
    const { memory, mmu } = oneTable(0x00345007);
    mmu.writeCr3(PD | 0x18);
    memory.trace = [];
    mmu.translate(VA, READ);
    expect(memory.trace[0]).toBe('R00001080');
    expect(mmu.registers()).toMatchObject({ CR3: PD | 0x18 });
  });
});
