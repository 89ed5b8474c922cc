/** No entry. */
export const TLB_MISS = -1;

/**
 * A set-associative TLB for pages of one size, as parallel arrays.
 *
 * An entry holds a virtual page number, a context tag (ASN, context, PID, VSID; 0 where the
 * architecture has none), a frame and a word of bits whose meaning is the port's, save `global`: an
 * entry with that bit matches every context. Entries are named by their index. Replacement is
 * round-robin within a set, so that it can be foretold.
 *
 *     set = vpn & (sets − 1)      entries of a set: set·ways … set·ways + ways − 1
 */
export class Tlb {
  readonly sets: number;
  readonly ways: number;
  readonly vpn: Int32Array;
  readonly context: Int32Array;
  /** Physical frame number, in units of the port's choice. */
  readonly frame: Int32Array;
  readonly bits: Int32Array;
  private readonly valid: Uint8Array;
  private readonly victim: Uint8Array;
  private readonly recent: Int32Array;
  private readonly global: number;

  /**
   * @param sets a power of two
   * @param ways 1 … 255
   * @param global the bit of `bits` that makes an entry match any context; 0 if there is none
   */
  constructor(sets: number, ways: number, global = 0) {
    if (sets < 1 || (sets & (sets - 1)) !== 0)
      throw new RangeError(`TLB sets must be a power of two, given ${sets}`);
    if (!Number.isInteger(ways) || ways < 1 || ways > 255)
      throw new RangeError(`TLB ways must be 1 to 255, given ${ways}`);
    this.sets = sets;
    this.ways = ways;
    this.global = global;
    this.vpn = new Int32Array(sets * ways);
    this.context = new Int32Array(sets * ways);
    this.frame = new Int32Array(sets * ways);
    this.bits = new Int32Array(sets * ways);
    this.valid = new Uint8Array(sets * ways);
    this.victim = new Uint8Array(sets);
    this.recent = new Int32Array(sets);
    for (let set = 0; set < sets; set++) this.recent[set] = set * ways;
  }

  /** The entry that translates (vpn, context), or {@link TLB_MISS}. */
  lookup(vpn: number, context: number): number {
    const set = vpn & (this.sets - 1);
    const recent = this.recent[set]!;
    if (this.vpn[recent] === vpn && this.context[recent] === context && this.valid[recent] === 1)
      return recent;
    return this.search(set, vpn, context);
  }

  private search(set: number, vpn: number, context: number): number {
    const end = (set + 1) * this.ways;
    for (let entry = set * this.ways; entry < end; entry++) {
      if (this.vpn[entry] !== vpn || this.valid[entry] === 0) continue;
      if (this.context[entry] !== context && (this.bits[entry]! & this.global) === 0) continue;
      this.recent[set] = entry;
      return entry;
    }
    return TLB_MISS;
  }

  /** Enters a translation, over the one for the same (vpn, context) if there is one. */
  insert(vpn: number, context: number, frame: number, bits: number): number {
    const set = vpn & (this.sets - 1);
    let entry = this.search(set, vpn, context);
    if (entry === TLB_MISS) {
      const victim = this.victim[set]!;
      this.victim[set] = victim + 1 === this.ways ? 0 : victim + 1;
      entry = set * this.ways + victim;
    }
    this.vpn[entry] = vpn;
    this.context[entry] = context;
    this.frame[entry] = frame;
    this.bits[entry] = bits;
    this.valid[entry] = 1;
    this.recent[set] = entry;
    return entry;
  }

  isValid(entry: number): boolean {
    return this.valid[entry] === 1;
  }

  /** Drops one entry by index. */
  drop(entry: number): void {
    this.valid[entry] = 0;
  }

  /** Drops every entry. */
  flushAll(): void {
    this.valid.fill(0);
  }

  /** Drops every entry that does not have the global bit. */
  flushNonGlobal(): void {
    for (let entry = 0; entry < this.valid.length; entry++)
      if ((this.bits[entry]! & this.global) === 0) this.valid[entry] = 0;
  }

  /** Drops every non-global entry of one context. */
  flushContext(context: number): void {
    for (let entry = 0; entry < this.valid.length; entry++)
      if (this.context[entry] === context && (this.bits[entry]! & this.global) === 0)
        this.valid[entry] = 0;
  }

  /** Drops the entries for one page: of every context if `context` is negative, else of that one and global ones. */
  flushPage(vpn: number, context: number): void {
    const set = vpn & (this.sets - 1);
    const end = (set + 1) * this.ways;
    for (let entry = set * this.ways; entry < end; entry++) {
      if (this.vpn[entry] !== vpn) continue;
      if (context < 0 || this.context[entry] === context || (this.bits[entry]! & this.global) !== 0)
        this.valid[entry] = 0;
    }
  }
}
