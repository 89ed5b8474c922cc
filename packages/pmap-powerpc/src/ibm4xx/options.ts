/** What a 4xx port may be told. */
export interface Ibm4xxOptions {
  /**
   * `none`, the default: `wiredCount` is always 0; ibm4xx/pmap.c of 2001 had no notion of it. `exact`:
   * the number of wired mappings, as later revisions have it.
   */
  readonly wiredCount?: 'exact' | 'none';
  /**
   * `exact`, the default: `protect` to a protection with WRITE leaves stores allowed. `authentic`: as in
   * 2001, it takes them away whatever the protection.
   */
  readonly protect?: 'exact' | 'authentic';
  /**
   * What `enter` does when its flags name no access and it is not wired. `map`, the default: the page is
   * mapped for reading, without counting as referenced, and not loaded into the TLB. `drop`: as
   * in 2001, the mapping that was there goes, nothing takes its place, and the answer is success.
   */
  readonly enterWithoutAccess?: 'map' | 'drop';
  /**
   * Lets the TLB keep what remove, protect and kremove took away until `pmap.update`, as pmap(9)
   * allows. Off by default: NetBSD's pmap flushed at once and its pmap_update did nothing.
   */
  readonly deferred?: boolean;
  /** PIDs in use, with 0 and the kernel's: 3 to 256 (default). Fewer make contexts scarce. */
  readonly contexts?: number;
  /** The most pv entries in use at once; no limit if not given. */
  readonly pvs?: number;
}
