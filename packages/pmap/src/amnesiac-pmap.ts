import { NO_PMAP, type Pa, type PmapId, type Va } from './address.ts';
import type { Amnesia } from './amnesia.ts';
import type { Errno } from './errno.ts';
import type { Pmap, PmapServices } from './pmap.ts';
import type { EnterFlags, Prot } from './prot.ts';

/** A fault makes about so many calls; all together they are a step. */
const A_CALL = 1 / 16;

/** A pmap that may have forgotten everything whenever it is called: each call is a part of a step of {@link Amnesia}. */
export class AmnesiacPmap implements Pmap {
  readonly growKernel: Pmap['growKernel'];
  readonly fork: Pmap['fork'];
  readonly prefer: Pmap['prefer'];
  readonly mapPoolPage: Pmap['mapPoolPage'];
  readonly procwr: Pmap['procwr'];
  private readonly healthy: Pmap;
  private readonly amnesia: Amnesia;
  private readonly pageSize: number;

  constructor(healthy: Pmap, amnesia: Amnesia, pageSize: number) {
    const { growKernel, fork, prefer, mapPoolPage, procwr } = healthy;
    this.healthy = healthy;
    this.amnesia = amnesia;
    this.pageSize = pageSize;
    this.growKernel = growKernel && ((maxva) => growKernel.call(this.struck(), maxva));
    this.fork = fork && ((src, dst) => fork.call(this.struck(), src, dst));
    this.prefer = prefer && ((offset, va) => prefer.call(healthy, offset, va));
    this.mapPoolPage = mapPoolPage && ((pa) => mapPoolPage.call(healthy, pa));
    this.procwr = procwr && ((map, va, length) => procwr.call(this.struck(), map, va, length));
  }

  /** The pmap, after it may have forgotten everything. */
  private struck(): Pmap {
    this.amnesia.step(A_CALL);
    return this.healthy;
  }

  init(services: PmapServices): void {
    // UVM calls the pmap to zero a table's page, and the pmap is amid an operation then: nothing may be forgotten.
    this.healthy.init({
      segments: services.segments,
      pageCount: services.pageCount,
      isManaged: (pa) => services.isManaged(pa),
      pageIndex: (pa) => services.pageIndex(pa),
      pageAddress: (index) => services.pageAddress(index),
      allocPage: () => this.amnesia.undisturbed(() => services.allocPage()),
      freePage: (pa) => this.amnesia.undisturbed(() => services.freePage(pa)),
    });
  }

  virtualSpace(): { readonly start: Va; readonly end: Va } {
    return this.healthy.virtualSpace();
  }

  create(): PmapId {
    const map = this.struck().create();
    if (map !== NO_PMAP) this.amnesia.count(map, 1);
    return map;
  }

  reference(map: PmapId): void {
    this.struck().reference(map);
    this.amnesia.count(map, 1);
  }

  destroy(map: PmapId): void {
    this.struck().destroy(map);
    this.amnesia.count(map, -1);
  }

  /** A question only, and no step: who asks for it twice wants the same answer. */
  residentCount(map: PmapId): number {
    return this.healthy.residentCount(map);
  }

  wiredCount(map: PmapId): number {
    return this.healthy.wiredCount(map);
  }

  tableBytes(map: PmapId): number {
    return this.healthy.tableBytes(map);
  }

  enter(map: PmapId, va: Va, pa: Pa, prot: Prot, flags: EnterFlags): Errno {
    const error = this.struck().enter(map, va, pa, prot, flags);
    this.amnesia.remember(map, va);
    return error;
  }

  remove(map: PmapId, start: Va, end: Va): void {
    this.struck().remove(map, start, end);
  }

  protect(map: PmapId, start: Va, end: Va, prot: Prot): void {
    this.struck().protect(map, start, end, prot);
  }

  unwire(map: PmapId, va: Va): void {
    this.struck().unwire(map, va);
    this.amnesia.remember(map, va);
  }

  extract(map: PmapId, va: Va): Pa {
    return this.struck().extract(map, va);
  }

  kenterPa(va: Va, pa: Pa, prot: Prot): void {
    this.struck().kenterPa(va, pa, prot);
  }

  kremove(va: Va, length: number): void {
    this.struck().kremove(va, length);
  }

  copy(dst: PmapId, src: PmapId, dstVa: Va, length: number, srcVa: Va): void {
    const before = this.residentCount(dst);
    this.struck().copy(dst, src, dstVa, length, srcVa);
    // Most ports do not take the advice.
    if (this.residentCount(dst) > before)
      for (let va = dstVa; va < dstVa + length; va += this.pageSize) this.amnesia.remember(dst, va);
  }

  collect(map: PmapId): void {
    this.struck().collect(map);
  }

  forget(map: PmapId, start: Va, end: Va): number {
    return this.struck().forget(map, start, end);
  }

  update(map: PmapId): void {
    this.struck().update(map);
  }

  activate(map: PmapId): void {
    this.struck().activate(map);
  }

  deactivate(map: PmapId): void {
    this.struck().deactivate(map);
  }

  zeroPage(pa: Pa): void {
    this.struck().zeroPage(pa);
  }

  copyPage(src: Pa, dst: Pa): void {
    this.struck().copyPage(src, dst);
  }

  pageProtect(pa: Pa, prot: Prot): void {
    this.struck().pageProtect(pa, prot);
  }

  clearModify(pa: Pa): boolean {
    return this.struck().clearModify(pa);
  }

  clearReference(pa: Pa): boolean {
    return this.struck().clearReference(pa);
  }

  isModified(pa: Pa): boolean {
    return this.struck().isModified(pa);
  }

  isReferenced(pa: Pa): boolean {
    return this.struck().isReferenced(pa);
  }

  physAddress(cookie: number): Pa {
    return this.healthy.physAddress(cookie);
  }

  describe(map: PmapId, va: Va): string {
    return this.healthy.describe(map, va);
  }
}
