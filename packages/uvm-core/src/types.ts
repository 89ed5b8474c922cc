/**
 * UVM's constants (uvm/uvm_extern.h, uvm/uvm_map.h, uvm/uvm_pager.h, December 2001). Values are
 * NetBSD's, so that a word seen in a debugger there means the same here.
 */

/** How an entry passes to a child at fork. */
export type Inherit = number;
/** The child shares amap and object. */
export const MAP_INHERIT_SHARE = 0;
/** The child gets a copy-on-write copy: the default of private mappings. */
export const MAP_INHERIT_COPY = 1;
/** The child has a hole. */
export const MAP_INHERIT_NONE = 2;

/** How an entry will be used: what a fault maps around itself. */
export type Advice = number;
export const UVM_ADV_NORMAL = 0;
export const UVM_ADV_RANDOM = 1;
export const UVM_ADV_SEQUENTIAL = 2;

/** Pages that a fault looks at behind and ahead of itself, by advice (uvm_fault.c, `uvmadvice`). */
export const ADVICE_BACK: readonly number[] = [3, 0, 8];
export const ADVICE_FORWARD: readonly number[] = [4, 0, 7];
/** UVM_MAXRANGE: the most pages one fault looks at. */
export const UVM_MAXRANGE = 16;

/** Flags of `uvmMap` (the high half of UVM_MAPFLAG). */
export type MapFlags = number;
/** The address given is mandatory. What is there is not unmapped: that is the caller's work. */
export const UVM_FLAG_FIXED = 0x010000;
/** Allocate an amap at once. */
export const UVM_FLAG_OVERLAY = 0x020000;
/** Never extend a neighbour. */
export const UVM_FLAG_NOMERGE = 0x040000;
/** Copy-on-write; needs-copy too unless OVERLAY. */
export const UVM_FLAG_COPYONW = 0x080000;
/** With OVERLAY: room in the amap for the heap to grow. */
export const UVM_FLAG_AMAPPAD = 0x100000;
/** EAGAIN if the map is locked, rather than waiting. */
export const UVM_FLAG_TRYLOCK = 0x200000;

/** "No offset, no preference". */
export const UVM_UNKNOWN_OFFSET = -1;

/** Entry type bits. NEEDSCOPY implies COPYONWRITE; SUBMAP excludes the rest. */
export type EntryType = number;
export const UVM_ET_OBJ = 1;
export const UVM_ET_SUBMAP = 2;
export const UVM_ET_COPYONWRITE = 4;
export const UVM_ET_NEEDSCOPY = 8;

/** Map flags. */
/** Faults are allowed. */
export const VM_MAP_PAGEABLE = 1;
/** Used from interrupts: never faulted, never wired through the fault path. */
export const VM_MAP_INTRSAFE = 2;
/** MCL_FUTURE: what is mapped from now on is wired. */
export const VM_MAP_WIREFUTURE = 4;
/** Someone has the map to itself across sleeps, though it may be read. */
export const VM_MAP_BUSY = 8;
/** Someone sleeps until BUSY clears. */
export const VM_MAP_WANTLOCK = 0x10;

/** Why a fault happens. UVM treats INVALID and PROTECT alike (both are in `@uvmkit/pmap`). */
export type FaultType = number;
/** Simulated, to wire at the entry's current protection. */
export const VM_FAULT_WIRE = 2;
/** Simulated, to wire: checked and promoted at the entry's maximum protection. */
export const VM_FAULT_WIREMAX = 3;

/** Flags of the pager operations (uvm_pager.h, revision 1.24). */
export type PagerFlags = number;
/** put: write dirty pages. */
export const PGO_CLEANIT = 0x001;
/** put: wait for the writes. get: the caller will wait; absent, it is read-ahead. */
export const PGO_SYNCIO = 0x002;
/** put: move pages to the inactive queue. */
export const PGO_DEACTIVATE = 0x004;
/** put: free pages after cleaning. */
export const PGO_FREE = 0x008;
/** get: every page, not just the centre. put: the whole object. */
export const PGO_ALLPAGES = 0x010;
/** get: only resident pages that nobody holds; start nothing. */
export const PGO_LOCKED = 0x040;
/** put, by the page daemon: pages are freed when their write completes, and count as `paging` until then. */
export const PGO_PAGEOUT = 0x100;
/** get: the caller overwrites whole pages, so that nothing needs to be read. */
export const PGO_OVERWRITE = 0x200;
/** put: leave pages alone that only need a commit. */
export const PGO_WEAK = 0x400;
/** get: pages beyond the end of file are wanted, it is being extended. */
export const PGO_PASTEOF = 0x800;

/** In a page array of a get: this slot is wanted and empty. */
export const PAGE_NULL = -1;
/** In a page array of a get: this slot is not wanted. */
export const PGO_DONTCARE = -2;

/** amap flags. */
/** Shared between maps on purpose: a change of an anon must reach them all. */
export const AMAP_SHARED = 1;
/** Argument of amap_ref/unref: the reference covers every slot, not just the entry's. */
export const AMAP_REFALL = 2;
/** Slots at which needs-copy of a large entry is resolved in chunks. */
export const UVM_AMAP_LARGE = 256;
/** Slots in such a chunk, and in the padding of a heap's amap. */
export const UVM_AMAP_CHUNK = 16;

/**
 * The outcome of something that may have to wait: 0, an errno, or {@link WAIT} with the channel in
 * `uvm.waitChannel`. The caller parks until the channel is woken and calls again.
 */
export type Outcome = number;
export const WAIT = -1;

/**
 * What a thread sleeps on. Page indices (≥ 0) are the pages themselves; the constants below and the
 * channels given out by `Uvm.newChannel` are negative.
 */
export type WaitChannel = number;
/** Free memory (`&uvmexp.free`). */
export const CHANNEL_MEMORY: WaitChannel = -2;
/** The once-a-second wakeup (`lbolt`). */
export const CHANNEL_LBOLT: WaitChannel = -3;

/**
 * An operation that may sleep: it yields the channel that it sleeps on and returns an errno. Whoever drives it
 * resumes it once the channel was woken; a spurious resumption is harmless.
 */
export type Sleeping<T = number> = Generator<WaitChannel, T, void>;
