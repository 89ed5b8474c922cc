import type { Va } from '@uvmkit/pmap';
import { TLBHI, TLBLO, TLBSX_MISS, type Ibm4xxMmu } from './mmu.ts';
import { KERNEL_PID, NTLB, tlbHi, tlbLo } from './pte.ts';

/** Entries that are never replaced: the kernel's image, its console, and room for more such. */
export const TLB_NRESERVED = 8;

/** Flags of `tlb_info`. */
const TLBF_USED = 1;
const TLBF_REF = 2;
const TLBF_LOCKED = 4;

/**
 * What software knows of the TLB (`tlb_info` of ibm4xx/pmap.c 1.5.4.9): who is in which entry, and which
 * entry goes next. Locked entries are the kernel's boot mappings; that has nothing to do with
 * wiring, and a wired page's entry is replaced like any other.
 */
export class TlbInfo {
  private readonly mmu: Ibm4xxMmu;
  private readonly flags: Uint8Array = new Uint8Array(NTLB);
  private readonly ctx: Uint8Array = new Uint8Array(NTLB);
  private next: number = TLB_NRESERVED;

  constructor(mmu: Ibm4xxMmu) {
    this.mmu = mmu;
  }

  /** Loads an entry under a PID. The PID register is left as it was. */
  private write(entry: number, ctx: number, hi: number, lo: number): void {
    const pid = this.mmu.mfpid();
    this.mmu.mtpid(ctx);
    this.mmu.tlbwe(entry, TLBLO, lo);
    this.mmu.tlbwe(entry, TLBHI, hi);
    this.mmu.mtpid(pid);
  }

  /** ppc4xx_tlb_reserve: a locked kernel entry, by its two words. */
  lock(entry: number, hi: number, lo: number): void {
    this.flags[entry] = TLBF_USED | TLBF_LOCKED;
    this.ctx[entry] = KERNEL_PID;
    this.write(entry, KERNEL_PID, hi, lo);
  }

  /** ppc4xx_tlb_enter: puts a table entry into the TLB, over a victim. It must not be there yet. */
  enter(ctx: number, va: Va, tte: number): void {
    const entry = this.victim();
    this.flags[entry] = TLBF_USED | TLBF_REF;
    this.ctx[entry] = ctx;
    this.write(entry, ctx, tlbHi(va, tte), tlbLo(tte));
  }

  /** ppc4xx_tlb_find_victim: the next unused entry, or the next not referenced since it was last passed over. */
  private victim(): number {
    for (;;) {
      this.next = this.next + 1 < NTLB ? this.next + 1 : TLB_NRESERVED;
      const flags = this.flags[this.next]!;
      if ((flags & TLBF_USED) === 0 || (flags & (TLBF_LOCKED | TLBF_REF)) === 0) return this.next;
      this.flags[this.next] = flags & ~TLBF_REF;
    }
  }

  /** ppc4xx_tlb_flush: drops the entry for an address of a context, unless it is locked. */
  flush(va: Va, ctx: number): void {
    const pid = this.mmu.mfpid();
    this.mmu.mtpid(ctx);
    const entry = this.mmu.tlbsx(va);
    this.mmu.mtpid(pid);
    if (entry !== TLBSX_MISS && (this.flags[entry]! & TLBF_LOCKED) === 0) this.drop(entry);
  }

  private drop(entry: number): void {
    this.flags[entry] = 0;
    this.mmu.invalidate(entry);
  }

  /** ctx_flush: drops every entry of a context. False if one is locked; nothing is dropped then. */
  flushContext(ctx: number): boolean {
    for (let entry = 0; entry < NTLB; entry++)
      if (this.holds(entry, ctx) && (this.flags[entry]! & TLBF_LOCKED) !== 0) return false;
    for (let entry = 0; entry < NTLB; entry++) if (this.holds(entry, ctx)) this.drop(entry);
    return true;
  }

  private holds(entry: number, ctx: number): boolean {
    return (this.flags[entry]! & TLBF_USED) !== 0 && this.ctx[entry] === ctx;
  }

  /** Drops every entry of a context that is not locked. */
  flushUnlocked(ctx: number): void {
    for (let entry = TLB_NRESERVED; entry < NTLB; entry++)
      if (this.holds(entry, ctx)) this.drop(entry);
  }
}
