import { PvTable, type Pa, type PmapServices } from '@uvmkit/pmap';
import { isMemory, isValid, PG_M, PG_M_SHIFT, PG_U, ptePa } from './pte.ts';

/** Attributes of a page: PV_MOD and PV_REF, where M and U come to lie when shifted by PG_M_SHIFT. */
export const PV_MOD = 1;
export const PV_REF = 2;
/** The page has incongruent aliases and is therefore cached through none of its mappings. */
export const PV_ANC = 0x10;

/** What is known of each managed page: who maps it, and the attributes that outlive its mappings. */
export class Sun4cPages {
  pv: PvTable = new PvTable(0);
  /** PV_MOD, PV_REF, PV_ANC by page index. */
  attributes: Uint8Array = new Uint8Array(0);
  private readonly pvLimit: number;
  private services: PmapServices | null = null;

  constructor(pvLimit: number) {
    this.pvLimit = pvLimit;
  }

  attach(services: PmapServices): void {
    this.services = services;
    this.pv = new PvTable(services.pageCount, this.pvLimit);
    this.attributes = new Uint8Array(services.pageCount);
  }

  /** The index of the managed page at `pa`, or −1. */
  index(pa: Pa): number {
    return this.services === null ? -1 : this.services.pageIndex(pa);
  }

  /** The index of the managed page that a PTE maps, or −1. */
  ofPte(pte: number): number {
    return isMemory(pte) ? this.index(ptePa(pte)) : -1;
  }

  /** Keeps the U and M of a PTE in the page's attributes, if it is valid and a managed page's. */
  harvest(pte: number): void {
    if (!isValid(pte) || (pte & (PG_U | PG_M)) === 0) return;
    const page = this.ofPte(pte);
    if (page >= 0) this.attributes[page]! |= (pte >>> PG_M_SHIFT) & (PV_MOD | PV_REF);
  }
}
