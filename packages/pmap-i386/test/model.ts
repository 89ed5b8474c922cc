import assert from 'node:assert/strict';
import {
  ACCESS_USER,
  type Access,
  FAULT,
  NO_PMAP,
  type Pa,
  PMAP_CANFAIL,
  PMAP_KERNEL,
  PMAP_WIRED,
  type PmapId,
  type Va,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';
import { checkPmap, pteOf } from './check.ts';
import { allowed } from './oracle.ts';
import { boot, type Rig } from './rig.ts';
import type { I386Options } from '../src/options.ts';
import { PG_RW, PG_V, PG_W, PG_u, pteFrame } from '../src/pte.ts';
import { KERNBASE, NBPD, NBPG, VM_MAX_KERNEL_ADDRESS } from '../src/vmparam.ts';

const PAGES: readonly Pa[] = [0x100000, 0x101000, 0x102000, 0x103000];
const USER_VAS: readonly Va[] = [0, NBPG, 5 * NBPG, NBPD - NBPG, NBPD, 2 * NBPD];
const MANAGED_KVAS: readonly Va[] = [0xc0300000, 0xc0301000];
const KENTER_KVAS: readonly Va[] = [0xc0500000, 0xc0501000];
const MAPS = 3;

/** One step: what, and four numbers that each kind of step takes as it likes. */
export type Step = readonly [kind: number, a: number, b: number, c: number, d: number];

/**
 * A machine under random pmap calls and accesses, beside a plain model of what must be true: whatever
 * a CPU's TLB holds, an access does what the tables say, and a page is modified exactly if it was
 * stored to through a managed mapping since that was last cleared.
 */
export class Model {
  readonly rig: Rig;
  readonly maps: PmapId[] = [];
  /** By CPU, the map that it runs, or none. */
  readonly running: (PmapId | null)[];
  readonly modified: Set<Pa> = new Set();
  readonly referenced: Set<Pa> = new Set();
  readonly #deferred: boolean;
  readonly #wp: boolean;

  constructor(options: I386Options, cpus: number, tablePages: number) {
    this.rig = boot(options, { cpus, tablePages, memory: 2 << 20 });
    this.#deferred = options.deferred ?? false;
    this.#wp = options.processor !== '80386';
    this.running = Array.from({ length: cpus }, () => PMAP_KERNEL);
    while (this.maps.length < MAPS) this.maps.push(this.rig.pmap.create());
  }

  step([kind, a, b, c, d]: Step): void {
    const { md, pmap } = this.rig;
    const map = this.maps[a % MAPS]!;
    const va = USER_VAS[b % USER_VAS.length]!;
    const pa = PAGES[c % PAGES.length]!;
    const kva = MANAGED_KVAS[b % 2]!;
    const prot = 1 + (d % 7);
    const flags = PMAP_CANFAIL | ((d & 8) === 0 ? 0 : PMAP_WIRED);
    md.currentCpu = (a + d) % md.mmus.length;
    switch (kind) {
      case 0:
      case 1:
        pmap.enter(map, va, pa, prot, flags);
        break;
      case 2:
        pmap.enter(PMAP_KERNEL, kva, pa, prot, flags);
        break;
      case 3:
        pmap.remove(map, va, va + NBPG * (1 + (d & 1) * 1024));
        break;
      case 4:
        pmap.remove(PMAP_KERNEL, MANAGED_KVAS[0]!, kva + NBPG);
        break;
      case 5:
        pmap.protect(map, Math.min(va, NBPG), va + NBPG, d & 7);
        break;
      case 6:
        pmap.pageProtect(pa, d & 7);
        break;
      case 7:
        assert.equal(pmap.clearModify(pa), this.modified.delete(pa));
        break;
      case 8:
        pmap.clearReference(pa);
        this.referenced.delete(pa);
        break;
      case 9:
        pmap.collect(map);
        break;
      case 10:
        if ((pteOf(this.rig.bare, map, va) & PG_W) !== 0) pmap.unwire(map, va);
        break;
      case 11:
        pmap.kenterPa(KENTER_KVAS[b % 2]!, pa, prot);
        break;
      case 12:
        pmap.kremove(KENTER_KVAS[0]!, NBPG * (1 + (b % 2)));
        break;
      case 13:
        pmap.activate(map);
        this.running[md.currentCpu] = map;
        break;
      case 14:
        if (this.running[md.currentCpu] !== null) pmap.deactivate(this.running[md.currentCpu]!);
        this.running[md.currentCpu] = null;
        break;
      case 15:
        this.#renew(a % MAPS);
        break;
      case 16:
        this.#forget(map, USER_VAS, va, va + NBPG * (1 + (d & 1) * 1024));
        break;
      case 17:
        this.#forget(PMAP_KERNEL, MANAGED_KVAS, KERNBASE, VM_MAX_KERNEL_ADDRESS);
        break;
      default:
        this.access(md.currentCpu, kind % 4 === 0 ? kva : va, kind % 2 === 0, (d & 1) !== 0);
    }
  }

  /** What is not wired goes, and nothing else does. */
  #forget(map: PmapId, vas: readonly Va[], start: Va, end: Va): void {
    const { bare, pmap } = this.rig;
    const ptes = vas.map((va) => pteOf(bare, map, va));
    const kernel = KENTER_KVAS.map((va) => pteOf(bare, PMAP_KERNEL, va));
    const due = vas.map(
      (va, index) => va >= start && va < end && (ptes[index]! & (PG_V | PG_W)) === PG_V,
    );
    assert.equal(pmap.forget(map, start, end), due.filter(Boolean).length);
    for (const [index, va] of vas.entries())
      assert.equal(pteOf(bare, map, va), due[index]! ? 0 : ptes[index]);
    assert.deepEqual(
      KENTER_KVAS.map((va) => pteOf(bare, PMAP_KERNEL, va)),
      kernel,
    );
  }

  /** A process dies, and another takes its place. */
  #renew(index: number): void {
    const { pmap } = this.rig;
    const map = this.maps[index]!;
    pmap.remove(map, 0, KERNBASE);
    pmap.destroy(map);
    for (const [cpu, running] of this.running.entries())
      if (running === map) this.running[cpu] = null;
    this.maps[index] = pmap.create();
    assert.notEqual(this.maps[index], NO_PMAP);
  }

  /** One access by a CPU, which must do what the tables say. */
  access(cpu: number, va: Va, write: boolean, user: boolean): void {
    const { bare, md, pmap } = this.rig;
    const running = this.running[cpu]!;
    if (running === null) return;
    if (this.#deferred) pmap.update(running);
    const access: Access = (write ? VM_PROT_WRITE : VM_PROT_READ) | (user ? ACCESS_USER : 0);
    const pte = pteOf(bare, running, va);
    const us = va < KERNBASE && (pte & PG_u) !== 0;
    const kind = write ? 'write' : 'read';
    const ok = (pte & PG_V) !== 0 && allowed(kind, user, this.#wp, us, (pte & PG_RW) !== 0);
    const pa = md.mmus[cpu]!.translate(va, access);
    assert.equal(pa, ok ? pteFrame(pte) : FAULT);
    if (!ok || KENTER_KVAS.includes(va)) return;
    this.referenced.add(pa);
    if (write) this.modified.add(pa);
  }

  /** Every access by every CPU, and everything the pmap knows. */
  check(): void {
    const { bare, md, pmap } = this.rig;
    for (const pa of PAGES) {
      assert.equal(pmap.isModified(pa), this.modified.has(pa));
      if (pmap.isReferenced(pa)) assert.equal(this.referenced.has(pa), true);
    }
    for (let cpu = 0; cpu < md.mmus.length; cpu++)
      for (const va of [...USER_VAS, ...MANAGED_KVAS, ...KENTER_KVAS])
        for (const user of [true, false])
          for (const write of [false, true]) this.access(cpu, va, write, user);
    checkPmap(bare);
  }

  /** Whether what was done left anything behind once every map is gone. */
  checkLeaks(): void {
    const { bare, pmap } = this.rig;
    for (const map of this.maps) {
      pmap.remove(map, 0, KERNBASE);
      assert.deepEqual([pmap.residentCount(map), pmap.wiredCount(map)], [1, 0]);
      pmap.destroy(map);
    }
    assert.equal(bare.tablePagesOut, 0);
  }
}
