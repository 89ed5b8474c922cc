import { NO_PA, PMAP_CANFAIL, PMAP_KERNEL, PMAP_WIRED, type PmapId } from '@uvmkit/pmap';
import assert from 'node:assert/strict';
import type { AlphaOptions } from '../src/index.ts';
import { Alpha, KVA, PAGE, READ, RW, TEXT, WRITE } from './harness.ts';

/** Addresses that share tables at every level, and one that shares none. */
export const VAS: readonly number[] = [
  TEXT,
  TEXT + PAGE,
  TEXT + (8 << 20),
  2 ** 33,
  2 ** 42 - PAGE,
];
export const KVAS: readonly number[] = [KVA, KVA + PAGE, KVA + (8 << 20)];
export const PROTS: readonly number[] = [READ, RW, READ | 4, RW | 4];
export const MAPS = 3;
export const PAGES = 4;
export const CPUS = 2;

interface Mapping {
  readonly page: number;
  prot: number;
  wired: boolean;
}

/** What the pmap promises, with nothing of how it does it. `lossy`: unwired mappings may vanish. */
export class Model {
  readonly a: Alpha;
  readonly lossy: boolean;
  readonly pages: readonly number[];
  readonly ids: PmapId[] = [];
  readonly active: number[] = Array.from({ length: CPUS }, () => -1);
  readonly maps: Map<number, Mapping>[] = [];
  readonly kernel: Map<number, number> = new Map();
  readonly referenced: boolean[] = Array.from({ length: PAGES }, () => false);
  readonly modified: boolean[] = Array.from({ length: PAGES }, () => false);

  constructor(options: AlphaOptions, lossy: boolean) {
    this.a = new Alpha({ kernelTables: 2, ...options }, { cpus: CPUS, memory: 2 << 20 });
    this.lossy = lossy;
    this.pages = Array.from({ length: PAGES }, () => this.a.page());
    for (let n = 0; n < MAPS; n++) {
      this.ids.push(this.a.pmap.create());
      this.maps.push(new Map());
    }
    if (lossy) this.a.machine.tablePageLimit = 6;
  }

  enter(map: number, va: number, page: number, prot: number, access: number, wired: boolean): void {
    const flags = (access & prot) | (wired ? PMAP_WIRED : 0) | PMAP_CANFAIL;
    const error = this.a.pmap.enter(this.ids[map]!, va, this.pages[page]!, prot, flags);
    if (error !== 0) {
      assert.equal(this.lossy, true);
      if (this.a.pmap.extract(this.ids[map]!, va) === NO_PA) this.maps[map]!.delete(va);
      return;
    }
    this.maps[map]!.set(va, { page, prot, wired });
    if ((access & prot) !== 0) this.referenced[page] = true;
    if ((access & prot & WRITE) !== 0) this.modified[page] = true;
  }

  remove(map: number, start: number, end: number): void {
    this.a.pmap.remove(this.ids[map]!, start, end);
    for (const va of this.maps[map]!.keys())
      if (va >= start && va < end) this.maps[map]!.delete(va);
  }

  protect(map: number, start: number, end: number, prot: number): void {
    this.a.pmap.protect(this.ids[map]!, start, end, prot);
    for (const [va, mapping] of this.maps[map]!) {
      if (va >= start && va < end) mapping.prot &= ~WRITE;
    }
  }

  unwire(map: number, va: number): void {
    const mapping = this.maps[map]!.get(va);
    if (mapping?.wired !== true) return;
    this.a.pmap.unwire(this.ids[map]!, va);
    mapping.wired = false;
  }

  pageProtect(page: number, prot: number): void {
    this.a.pmap.pageProtect(this.pages[page]!, prot);
    for (const map of this.maps) {
      for (const [va, mapping] of map) {
        if (mapping.page !== page) continue;
        if (prot !== 0) mapping.prot &= ~WRITE;
        else if (!mapping.wired) map.delete(va);
      }
    }
  }

  clear(page: number, modified: boolean): void {
    const { pmap } = this.a;
    const attribute = modified ? this.modified : this.referenced;
    const was = modified
      ? pmap.clearModify(this.pages[page]!)
      : pmap.clearReference(this.pages[page]!);
    assert.equal(was, attribute[page]);
    attribute[page] = false;
  }

  collect(map: number): void {
    this.a.pmap.collect(this.ids[map]!);
    for (const [va, mapping] of this.maps[map]!) if (!mapping.wired) this.maps[map]!.delete(va);
  }

  forget(map: number, start: number, end: number): void {
    const forgotten = this.a.pmap.forget(this.ids[map]!, start, end);
    const mine = this.maps[map]!;
    const due = [...mine].filter(([va, { wired }]) => va >= start && va < end && !wired);
    for (const [va] of due) mine.delete(va);
    if (!this.lossy) assert.equal(forgotten, due.length);
    assert.equal(this.a.pmap.forget(PMAP_KERNEL, KVA, 0), 0);
  }

  kernelMapping(va: number, page: number, enter: boolean): void {
    if (enter) {
      this.a.pmap.kenterPa(va, this.pages[page]!, RW);
      this.kernel.set(va, page);
    } else {
      this.a.pmap.kremove(va, PAGE);
      this.kernel.delete(va);
    }
  }

  run(cpu: number, map: number): void {
    this.a.on(cpu);
    const before = this.active[cpu]!;
    if (before >= 0) this.a.pmap.deactivate(this.ids[before]!);
    this.a.pmap.activate(this.ids[map]!);
    this.active[cpu] = map;
  }

  replace(map: number): void {
    if (this.active.includes(map)) return;
    this.remove(map, 0, 2 ** 42);
    this.a.pmap.destroy(this.ids[map]!);
    this.ids[map] = this.a.pmap.create();
  }

  /** Every access from every CPU does what the model says, on the kernel's addresses too. */
  checkAccesses(access: number): void {
    for (let cpu = 0; cpu < CPUS; cpu++) {
      this.a.on(cpu);
      for (const va of KVAS) {
        const page = this.kernel.get(va);
        const seen = this.a.access(va, access & RW);
        if (page === undefined) assert.ok('trap' in seen);
        else assert.deepEqual(seen, { pa: this.pages[page], traps: 0 });
      }
      const map = this.active[cpu]!;
      for (const va of VAS) this.checkAccess(map, va, access);
    }
    this.a.on(0);
  }

  private checkAccess(map: number, va: number, access: number): void {
    const mapping = this.maps[map]?.get(va);
    const allowed =
      mapping !== undefined && ((access & WRITE) === 0 || (mapping.prot & WRITE) !== 0);
    const seen = this.a.user(va, access);
    if (!allowed) {
      assert.ok('trap' in seen);
    } else if ('pa' in seen) {
      assert.equal(seen.pa, this.pages[mapping.page]);
      this.referenced[mapping.page] = true;
      if ((access & WRITE) !== 0) this.modified[mapping.page] = true;
    } else {
      assert.deepEqual([this.lossy, mapping.wired], [true, false]);
      this.maps[map]!.delete(va);
    }
  }

  checkState(): void {
    this.a.check();
    this.maps.forEach((map, n) => {
      const wired = [...map.values()].filter((mapping) => mapping.wired).length;
      assert.equal(this.a.pmap.wiredCount(this.ids[n]!), wired);
      if (!this.lossy) assert.equal(this.a.pmap.residentCount(this.ids[n]!), map.size);
    });
    assert.deepEqual(this.a.counts(PMAP_KERNEL), {
      resident: this.kernel.size,
      wired: this.kernel.size,
    });
    this.pages.forEach((pa, page) => {
      const want = (this.referenced[page] ? 'R' : '-') + (this.modified[page] ? 'M' : '-');
      assert.equal(this.a.attributes(pa), want);
    });
  }
}
