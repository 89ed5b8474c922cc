import {
  ACCESS_USER,
  EventStream,
  FAULT,
  PhysicalMemory,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { beforeEach, describe, expect, it } from 'vitest';
import { Sun4cMmu } from './mmu.ts';
import { badAlias, PG_NC, PG_S, PG_V, PG_W, SYSEN_CACHE, T_DATAFAULT, T_TEXTFAULT } from './pte.ts';

const OBIO = 2 ** 32;
const RU = VM_PROT_READ | ACCESS_USER;
const WU = VM_PROT_WRITE | ACCESS_USER;
const RS = VM_PROT_READ;
const WS = VM_PROT_WRITE;
const XU = VM_PROT_EXECUTE | ACCESS_USER;

let memory: PhysicalMemory;
let mmu: Sun4cMmu;

function boot(lineBytes: 16 | 32 = 16): void {
  memory = new PhysicalMemory(16 << 20, 4096);
  mmu = new Sun4cMmu(memory, new EventStream(), { contexts: 8, pmegs: 128, lineBytes });
}

function at<T>(context: number, act: () => T): T {
  const saved = mmu.context;
  mmu.context = context;
  const result = act();
  mmu.context = saved;
  return result;
}

/** First address of a segment by its 12-bit number. */
const va = (segment: number): number => (segment < 0x800 ? segment : segment + 0x3000) * 0x4_0000;

beforeEach(() => boot());

describe('the reference vectors', () => {
  // Section E.2. Segment map: context, segment, PMEG; the kernel's two are in every context.
  const SEGMAP: readonly [number, number, number][] = [
    [1, 0x000, 10],
    [1, 0x001, 12],
    [1, 0x7ff, 15],
    [1, 0x800, 13],
    [1, 0xbff, 14],
    [2, 0x000, 11],
  ];
  const PTES: readonly [number, number, number][] = [
    [0, 4, 0xa0000004],
    [0, 5, 0xe0000005],
    [0, 6, 0xf4000006],
    [1, 63, 0xe300007f],
    [10, 0, 0x80000100],
    [10, 1, 0xc0000101],
    [10, 2, 0xa0000102],
    [10, 3, 0xe0000103],
    [10, 4, 0x00000104],
    [10, 5, 0x92000105],
    [10, 6, 0xc3000106],
    [10, 7, 0xc0400107],
    [11, 1, 0xc0000201],
    [12, 63, 0x80000300],
    [13, 0, 0xd4000f00],
    [14, 63, 0xc0000abc],
    [15, 63, 0xc000ffff],
  ];
  // name, context, va, access, PMEG and page, then [PA, PTE after] or [SER, PTE after].
  const HOLE = [-1, -1] as const;
  const VECTORS: readonly [
    string,
    number,
    number,
    string,
    readonly [number, number],
    'pa' | 'ser',
    number,
    number,
  ][] = [
    ['C01', 1, 0x00000123, 'rU', [10, 0], 'pa', 0x00100123, 0x82000100],
    ['C02', 1, 0x00000123, 'wU', [10, 0], 'ser', 0x8040, 0x80000100],
    ['C03', 1, 0x00000ffc, 'xU', [10, 0], 'pa', 0x00100ffc, 0x82000100],
    ['C04', 1, 0x00000000, 'wS', [10, 0], 'ser', 0x8040, 0x80000100],
    ['C05', 1, 0x00001010, 'rU', [10, 1], 'pa', 0x00101010, 0xc2000101],
    ['C06', 1, 0x00001010, 'wU', [10, 1], 'pa', 0x00101010, 0xc3000101],
    ['C07', 1, 0x00002000, 'rU', [10, 2], 'ser', 0x0040, 0xa0000102],
    ['C08', 1, 0x00002000, 'rS', [10, 2], 'pa', 0x00102000, 0xa2000102],
    ['C09', 1, 0x00002000, 'wS', [10, 2], 'ser', 0x8040, 0xa0000102],
    ['C10', 1, 0x00003abc, 'wS', [10, 3], 'pa', 0x00103abc, 0xe3000103],
    ['C11', 1, 0x00003abc, 'wU', [10, 3], 'ser', 0x8040, 0xe0000103],
    ['C12', 1, 0x00004000, 'rS', [10, 4], 'ser', 0x0080, 0x00000104],
    ['C13', 1, 0x00005008, 'rU', [10, 5], 'pa', 0x00105008, 0x92000105],
    ['C14', 1, 0x00005008, 'wU', [10, 5], 'ser', 0x8040, 0x92000105],
    ['C15', 1, 0x00006004, 'wU', [10, 6], 'pa', 0x00106004, 0xc3000106],
    ['C16', 1, 0x00007004, 'rU', [10, 7], 'pa', 0x00107004, 0xc2400107],
    ['C17', 1, 0x0007f800, 'xU', [12, 63], 'pa', 0x00300800, 0x82000300],
    ['C18', 1, 0x00080000, 'wU', [127, 0], 'ser', 0x8080, 0x00000000],
    ['C19', 2, 0x00001010, 'rU', [11, 1], 'pa', 0x00201010, 0xc2000201],
    ['C20', 2, 0x00000000, 'rU', [11, 0], 'ser', 0x0080, 0x00000000],
    ['C21', 0, 0x00000000, 'rS', [127, 0], 'ser', 0x0080, 0x00000000],
    ['C22', 1, 0xe0000040, 'wU', [13, 0], 'pa', OBIO + 0x00f00040, 0xd7000f00],
    ['C23', 1, 0xefffffff, 'rU', [14, 63], 'pa', 0x00abcfff, 0xc2000abc],
    ['C24', 1, 0x1fffffff, 'wU', [15, 63], 'pa', 0x0fffffff, 0xc300ffff],
    ['C25', 1, 0x20000000, 'rU', HOLE, 'ser', 0x0080, 0],
    ['C26', 1, 0xdffffffc, 'wS', HOLE, 'ser', 0x8080, 0],
    ['C27', 1, 0xf0004010, 'rU', [0, 4], 'ser', 0x0040, 0xa0000004],
    ['C28', 1, 0xf0004010, 'xS', [0, 4], 'pa', 0x00004010, 0xa2000004],
    ['C29', 1, 0xf0004010, 'wS', [0, 4], 'ser', 0x8040, 0xa0000004],
    ['C30', 3, 0xf0005020, 'wS', [0, 5], 'pa', 0x00005020, 0xe3000005],
    ['C31', 1, 0xf0006000, 'rS', [0, 6], 'pa', OBIO + 0x00006000, 0xf6000006],
    ['C32', 5, 0xf007f000, 'wS', [1, 63], 'pa', 0x0007f000, 0xe300007f],
  ];
  /** A segment of context 7 that the vectors do not use, to reach every PMEG through. */
  const WINDOW = 0x0100_0000;

  const peek = ([pmeg, page]: readonly [number, number]): number =>
    at(7, () => {
      mmu.setSegmap(WINDOW, pmeg);
      return mmu.getPte(WINDOW + page * 4096);
    });

  function lay(): void {
    for (const [pmeg, page, pte] of PTES)
      at(7, () => {
        mmu.setSegmap(WINDOW, pmeg);
        mmu.setPte(WINDOW + page * 4096, pte);
      });
    for (let context = 0; context < 8; context++) {
      at(context, () => {
        mmu.setSegmaps(new Uint8Array(4096).fill(127));
        mmu.setSegmap(va(0xc00), 0);
        mmu.setSegmap(va(0xc01), 1);
      });
    }
    for (const [context, segment, pmeg] of SEGMAP)
      at(context, () => mmu.setSegmap(va(segment), pmeg));
  }

  const accessOf = (text: string): number =>
    (text[0] === 'r' ? VM_PROT_READ : text[0] === 'w' ? VM_PROT_WRITE : VM_PROT_EXECUTE) |
    (text[1] === 'U' ? ACCESS_USER : 0);

  beforeEach(lay);

  it.each(VECTORS)(
    '%s: context %i, %i, %s',
    (_, context, address, access, slot, kind, value, after) => {
      mmu.context = context;
      const pa = mmu.translate(address, accessOf(access));
      if (kind === 'pa') expect([pa, mmu.ser]).toEqual([value, 0]);
      else expect([pa, mmu.ser, mmu.sva]).toEqual([FAULT, value, address]);
      if (slot !== HOLE) expect(peek(slot)).toBe(after);
    },
  );

  it('Q4: a PMEG keeps its PTEs while no segment map entry leads to it', () => {
    mmu.context = 1;
    mmu.translate(0x1010, RU);
    mmu.setSegmap(0, 127);
    expect(mmu.translate(0x1010, RU)).toBe(FAULT);
    expect(mmu.readSer()).toBe(0x80);
    mmu.setSegmap(0, 10);
    expect(mmu.getPte(0x1000)).toBe(0xc2000101);
    expect(mmu.translate(0x1010, RU)).toBe(0x101010);
  });
});

describe('rights', () => {
  it('hold for every V, W, S, access, mode, and U and M as they were', () => {
    const KINDS = [
      ['r', VM_PROT_READ],
      ['x', VM_PROT_EXECUTE],
      ['w', VM_PROT_WRITE],
      ['rw', VM_PROT_READ | VM_PROT_WRITE],
    ] as const;
    // By W and S: user, supervisor. Fetches are loads to this MMU.
    const RIGHTS = {
      '00': ['rx', 'rx'],
      '10': ['rwx', 'rwx'],
      '01': ['', 'rx'],
      '11': ['', 'rwx'],
    } as const;
    for (let bits = 0; bits < 64; bits++) {
      const [v, w, s, nc, u, m] = [32, 16, 8, 4, 2, 1].map((bit) => (bits & bit ? 1 : 0));
      const pte =
        v! * PG_V +
        w! * PG_W +
        s! * PG_S +
        nc! * PG_NC +
        u! * 0x0200_0000 +
        m! * 0x0100_0000 +
        0x123;
      for (const [need, access] of KINDS) {
        for (const mode of [0, 1]) {
          mmu.setPte(0, pte);
          const rights: string = RIGHTS[`${w}${s}` as keyof typeof RIGHTS][mode]!;
          const where = `${pte.toString(16)} ${need} ${mode ? 'supervisor' : 'user'}`;
          const store = need.includes('w');
          const pa = mmu.translate(0x45, access | (mode ? 0 : ACCESS_USER));
          const cause =
            v === 0 ? 0x80 : [...need].every((right) => rights.includes(right)) ? 0 : 0x40;
          if (cause === 0) {
            expect(pa, where).toBe(0x123045);
            expect(mmu.getPte(0), where).toBe((pte | (store ? 0x0300_0000 : 0x0200_0000)) >>> 0);
          } else {
            expect([pa, mmu.readSer(), mmu.getPte(0)], where).toEqual([
              FAULT,
              cause | (store ? 0x8000 : 0),
              pte,
            ]);
          }
        }
      }
    }
  });

  it('the hole is every address whose bits 31:29 are not all alike', () => {
    mmu.setSegmaps(new Uint8Array(4096).fill(3));
    mmu.setPte(0, PG_V);
    for (let top = 0; top < 8; top++) {
      const outside = top === 0 || top === 7;
      expect(mmu.translate(top * 0x2000_0000, RS) !== FAULT).toBe(outside);
    }
  });
});

describe('the fault registers', () => {
  it('add up until they are read, and the trap type tells fetches from data', () => {
    mmu.setPte(0, PG_V);
    mmu.translate(0x10, WU);
    expect(mmu.trapType).toBe(T_DATAFAULT);
    mmu.translate(0x1000, XU);
    expect([mmu.trapType, mmu.supervisor]).toEqual([T_TEXTFAULT, false]);
    expect([mmu.readSer(), mmu.ser, mmu.sva]).toEqual([0x80c0, 0, 0x1000]);
    expect(mmu.describeFault()).toBe('SER 0x0080 (INVAL), SVA 0x00001000');
  });
});

describe.each([16, 32] as const)('the cache with %i-byte lines', (lineBytes) => {
  const PAGE = 0x20_0000;

  function load(address: number, access = RU): number {
    const pa = mmu.translate(address, access);
    if (pa === FAULT) throw new Error(mmu.describeFault());
    return mmu.dataCache.load(address, pa, 4);
  }

  function store(address: number, value: number, access = WU): void {
    const pa = mmu.translate(address, access);
    if (pa === FAULT) throw new Error(mmu.describeFault());
    mmu.dataCache.store(address, pa, 4, value);
  }

  function map(address: number, flags: number, pa = PAGE): void {
    mmu.setSegmap(address, 1);
    mmu.setPte(address, (PG_V | flags | (pa >>> 12)) >>> 0);
  }

  beforeEach(() => {
    boot(lineBytes);
    mmu.systemEnable = SYSEN_CACHE;
  });

  it('shows stale data through an incongruent alias', () => {
    map(0x1000, PG_W);
    map(0x12000, PG_W);
    store(0x1000, 1);
    expect(load(0x12000)).toBe(1);
    store(0x1000, 2);
    expect(memory.readBe32(PAGE)).toBe(2);
    expect(load(0x12000)).toBe(1);
    mmu.flushCachePage(0x12000);
    expect(load(0x12000)).toBe(2);
  });

  it('drops what it holds of a range of memory, whatever the address and context', () => {
    map(0x1000, PG_W);
    map(0x12000, PG_W);
    map(0x13000, PG_W, PAGE + 0x1000);
    at(1, () => map(0x1_4000, PG_W));
    for (const address of [0x1000, 0x12000, 0x13000]) load(address);
    at(1, () => load(0x1_4000));
    for (const pa of [PAGE, PAGE + 0x1000]) memory.writeBe32(pa, 7);
    mmu.dataCache.dropPhysical(PAGE, 4096);
    expect([load(0x1000), load(0x12000), at(1, () => load(0x1_4000))]).toEqual([7, 7, 7]);
    expect(load(0x13000)).toBe(0);
    mmu.dataCache.dropPhysical(PAGE + 0x1003, 1);
    expect(load(0x13000)).toBe(7);
  });

  it('shows none through mappings that are not cached', () => {
    map(0x1000, PG_W | PG_NC);
    map(0x12000, PG_W | PG_NC);
    load(0x12000);
    store(0x1000, 2);
    expect(load(0x12000)).toBe(2);
  });

  it('shows none through a congruent alias, nor through one address in two contexts', () => {
    map(0x1000, PG_W);
    map(0x11000, PG_W);
    load(0x11000);
    store(0x1000, 2);
    expect(load(0x11000)).toBe(2);
    at(1, () => {
      map(0x1000, PG_W);
      store(0x1000, 3);
    });
    expect(load(0x1000)).toBe(3);
    expect(badAlias(0x1000, 0x11000)).toBe(false);
    expect(badAlias(0x1000, 0x12000)).toBe(true);
  });

  it('holds every size in big-endian order', () => {
    map(0x1000, PG_W);
    load(0x1000);
    mmu.dataCache.store(0x1000, PAGE, 4, 0x11223344);
    mmu.dataCache.store(0x1001, PAGE + 1, 1, 0xaa);
    mmu.dataCache.store(0x1002, PAGE + 2, 2, 0xbbcc);
    expect(load(0x1000)).toBe(0x11aabbcc);
    expect(memory.readBe32(PAGE)).toBe(0x11aabbcc);
    expect(mmu.dataCache.load(0x1001, PAGE + 1, 1)).toBe(0xaa);
    expect(mmu.dataCache.load(0x1002, PAGE + 2, 2)).toBe(0xbbcc);
  });

  it('decides a hit by the W and S in its tag, right or wrong', () => {
    map(0x1000, PG_W);
    load(0x1000);
    mmu.setPte(0x1000, (PG_V | PG_S | (PAGE >>> 12)) >>> 0);
    expect(load(0x1000)).toBe(0);
    store(0x1000, 5);
    mmu.flushCachePage(0x1000);
    expect(mmu.translate(0x1000, RU)).toBe(FAULT);
    expect(load(0x1000, RS)).toBe(5);
    mmu.setPte(0x1000, (PG_V | PG_W | (PAGE >>> 12)) >>> 0);
    expect(mmu.translate(0x1000, RU)).toBe(FAULT);
    expect(mmu.translate(0x1000, WS)).toBe(FAULT);
  });

  it('answers a load of a page whose PTE has gone, and no store', () => {
    map(0x1000, PG_W);
    memory.writeBe32(PAGE, 7);
    load(0x1000);
    mmu.setPte(0x1000, 0);
    expect(load(0x1000)).toBe(7);
    expect(mmu.translate(0x1000, WU)).toBe(FAULT);
    expect(mmu.readSer()).toBe(0x8080);
  });

  it('keeps U from being set by a hit, and lets every store set M', () => {
    map(0x1000, PG_W);
    load(0x1000);
    map(0x1000, PG_W);
    load(0x1000);
    expect(mmu.getPte(0x1000) & 0x0300_0000).toBe(0);
    store(0x1000, 1);
    expect(mmu.getPte(0x1000) & 0x0100_0000).toBe(0x0100_0000);
  });

  it('answers supervisor lines in every context', () => {
    for (const context of [0, 1]) at(context, () => map(0xf000_1000, PG_W | PG_S));
    load(0xf000_1000, RS);
    memory.writeBe32(PAGE, 9);
    mmu.context = 1;
    expect(load(0xf000_1000, RS)).toBe(0);
    mmu.flushCachePage(0xf000_1000);
    expect(load(0xf000_1000, RS)).toBe(9);
  });

  it('flushes what the manual says: page and segment by address and context or S, a context without S', () => {
    const places: readonly [string, number, number, number][] = [
      ['page', 1, 0x1000, 0],
      ['neighbour', 1, 0x2000, 0],
      ['elsewhere', 1, 0x4_3000, 0],
      ['other context', 2, 0x4000, 0],
      ['supervisor', 0, 0xf000_5000, PG_S],
    ];
    const left = (flush: () => void): string[] => {
      boot(lineBytes);
      mmu.systemEnable = SYSEN_CACHE;
      for (const [, context, address, flags] of places) {
        for (let every = 0; every < 8; every++)
          if (flags || every === context) at(every, () => map(address, flags));
        at(context, () => load(address, RS));
      }
      flush();
      memory.writeBe32(PAGE, 1);
      return places
        .filter(([, context, address]) => at(context, () => load(address, RS)) === 0)
        .map(([name]) => name);
    };
    const every = places.map(([name]) => name);
    const without = (...names: string[]): string[] => every.filter((name) => !names.includes(name));
    const within = (context: number, flush: () => void) => (): void => at(context, flush);
    expect(left(within(1, () => mmu.flushCachePage(0x1000)))).toEqual(without('page'));
    expect(left(within(2, () => mmu.flushCachePage(0x1000)))).toEqual(every);
    expect(left(within(3, () => mmu.flushCachePage(0xf000_5000)))).toEqual(without('supervisor'));
    expect(left(within(1, () => mmu.flushCacheSegment(0x3000)))).toEqual(
      without('page', 'neighbour'),
    );
    expect(left(within(1, () => mmu.flushCacheContext()))).toEqual(
      without('page', 'neighbour', 'elsewhere'),
    );
    expect(left(within(0, () => mmu.flushCacheContext()))).toEqual(every);
    expect(left(() => mmu.flushAll())).toEqual([]);
  });

  it('is passed by while it is off', () => {
    map(0x1000, PG_W);
    load(0x1000);
    memory.writeBe32(PAGE, 4);
    mmu.systemEnable = 0;
    expect(load(0x1000)).toBe(4);
  });
});
