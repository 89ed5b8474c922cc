/** A member of the family, by what its MMU can do. */
export type Processor = '80386' | 'i486' | 'pentium' | 'pentiumpro';

/** One TLB for pages of one size: `sets` is a power of two. */
export interface TlbShape {
  readonly sets: number;
  readonly ways: number;
}

/** What distinguishes the members of the family to paging. */
export interface ProcessorFeatures {
  /** CR0.WP exists: the supervisor can be held to R/W. Without it a kernel must check for itself. */
  readonly writeProtect: boolean;
  /** INVLPG exists. Without it the only flush is a load of CR3. */
  readonly invlpg: boolean;
  /** CR4.PSE: 4 MB pages, and with them the reserved-bit fault. */
  readonly pageSizeExtension: boolean;
  /** CR4.PGE: global pages. */
  readonly pageGlobal: boolean;
  /** For data; large pages only with {@link pageSizeExtension}. */
  readonly dtlb: { readonly small: TlbShape; readonly large: TlbShape };
  /** For instructions; null if the TLB for data serves both. */
  readonly itlb: { readonly small: TlbShape; readonly large: TlbShape } | null;
}

const UNIFIED = { small: { sets: 8, ways: 4 }, large: { sets: 1, ways: 1 } };
const DATA = { small: { sets: 16, ways: 4 }, large: { sets: 2, ways: 4 } };
const CODE = { small: { sets: 8, ways: 4 }, large: { sets: 1, ways: 2 } };

/**
 * The 80386 and i486 have one TLB of 32 entries, four-way (their programmer's references, "Page
 * Translation"). The later ones have the TLBs that CPUID leaf 2 reports as 01 02 03 04: instructions
 * 32 entries four-way and 2 for large pages, data 64 four-way and 8 four-way. Replacement is
 * round-robin in each set; the parts' pseudo-LRU is not modelled, nor is the Pentium's habit of
 * holding a large instruction page as small ones.
 */
export const PROCESSORS: Readonly<Record<Processor, ProcessorFeatures>> = {
  '80386': {
    writeProtect: false,
    invlpg: false,
    pageSizeExtension: false,
    pageGlobal: false,
    dtlb: UNIFIED,
    itlb: null,
  },
  i486: {
    writeProtect: true,
    invlpg: true,
    pageSizeExtension: false,
    pageGlobal: false,
    dtlb: UNIFIED,
    itlb: null,
  },
  pentium: {
    writeProtect: true,
    invlpg: true,
    pageSizeExtension: true,
    pageGlobal: false,
    dtlb: DATA,
    itlb: CODE,
  },
  pentiumpro: {
    writeProtect: true,
    invlpg: true,
    pageSizeExtension: true,
    pageGlobal: true,
    dtlb: DATA,
    itlb: CODE,
  },
};
