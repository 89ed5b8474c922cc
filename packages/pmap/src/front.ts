import type { Pa, Va } from './address.ts';
import type { Access } from './prot.ts';

/** Log2 of the slots for each kind of access. */
const SLOTS_SHIFT = 6;
const SLOTS_MASK = (1 << SLOTS_SHIFT) - 1;
const KINDS = 32;
/** A front knows pieces of 4 KB, whatever the page size: constants are faster than fields. */
const PIECE_SHIFT = 12;
const PIECE_OFFSET = (1 << PIECE_SHIFT) - 1;

/** What a front answers when it does not know. */
export const FRONT_MISS = -1;

/**
 * Translations found since the TLB last changed: a shortcut in front of an MMU's real TLB, for speed alone.
 *
 * One slot for each kind of access and low bits of the page number, so a hit is one comparison. What
 * stands here was found in the TLB (or its like) with all the rights and bits that this kind of access needs, and
 * the MMU drops everything here ({@link invalidate}) whenever that might no longer be so: an entry
 * leaves the TLB, a context or a register that takes part changes. An MMU whose replacement takes
 * notice of hits cannot use it.
 *
 * Fields are private by the compiler's word and not by `#`: a hit is a few instructions, and checking a `#name` is
 * a third of it.
 *
 * For addresses of 32 bits; a physical one that has more is not kept. A slot is two words:
 *
 *     tag: address of the 4 KB │ epoch          base: their physical address
 *          31 … 12               11 … 0
 */
export class TranslationFront {
  private readonly words: Int32Array = new Int32Array((KINDS << SLOTS_SHIFT) * 2);
  private epoch = 1;
  private hits = 0;
  private counted = 0;

  /** The physical address of `va`, or {@link FRONT_MISS}. */
  find(va: Va, access: Access): Pa {
    const slot =
      ((access & (KINDS - 1)) << (SLOTS_SHIFT + 1)) |
      ((va >>> (PIECE_SHIFT - 1)) & (SLOTS_MASK << 1));
    if (this.words[slot] !== ((va & ~PIECE_OFFSET) | this.epoch)) return FRONT_MISS;
    this.hits = (this.hits + 1) | 0;
    return (this.words[slot + 1]! | (va & PIECE_OFFSET)) >>> 0;
  }

  /** Keeps the translation of `va` for this kind of access, and returns it. */
  remember(va: Va, access: Access, pa: Pa): Pa {
    if (pa >= 2 ** 32) return pa;
    const slot =
      ((access & (KINDS - 1)) << (SLOTS_SHIFT + 1)) |
      ((va >>> (PIECE_SHIFT - 1)) & (SLOTS_MASK << 1));
    this.words[slot] = (va & ~PIECE_OFFSET) | this.epoch;
    this.words[slot + 1] = pa & ~PIECE_OFFSET;
    return pa;
  }

  /** Drops everything. */
  invalidate(): void {
    if (++this.epoch <= PIECE_OFFSET) return;
    this.words.fill(0);
    this.epoch = 1;
  }

  /**
   * Hits since this was last asked. The count itself wraps at 2^32: an MMU takes it whenever the front
   * misses, and whenever its counters are read.
   */
  takeHits(): number {
    const hits = (this.hits - this.counted) >>> 0;
    this.counted = this.hits;
    return hits;
  }
}

/**
 * A {@link TranslationFront} for addresses wider than 32 bits, of either sign (alpha: 43 bits, signed). The tag is a
 * number of its own instead of a word, of the same two parts.
 */
export class WideTranslationFront {
  private readonly tags: Float64Array = new Float64Array(KINDS << SLOTS_SHIFT);
  private readonly bases: Int32Array = new Int32Array(KINDS << SLOTS_SHIFT);
  private epoch = 1;
  private hits = 0;
  private counted = 0;

  /** The physical address of `va`, or {@link FRONT_MISS}. */
  find(va: Va, access: Access): Pa {
    const low = va | 0;
    const slot = ((access & (KINDS - 1)) << SLOTS_SHIFT) | ((low >>> PIECE_SHIFT) & SLOTS_MASK);
    if (this.tags[slot] !== va - (low & PIECE_OFFSET) + this.epoch) return FRONT_MISS;
    this.hits = (this.hits + 1) | 0;
    return (this.bases[slot]! | (low & PIECE_OFFSET)) >>> 0;
  }

  /** Keeps the translation of `va` for this kind of access, and returns it. */
  remember(va: Va, access: Access, pa: Pa): Pa {
    if (pa >= 2 ** 32) return pa;
    const slot = ((access & (KINDS - 1)) << SLOTS_SHIFT) | ((va >>> PIECE_SHIFT) & SLOTS_MASK);
    this.tags[slot] = va - (va & PIECE_OFFSET) + this.epoch;
    this.bases[slot] = pa & ~PIECE_OFFSET;
    return pa;
  }

  /** Drops everything. */
  invalidate(): void {
    if (++this.epoch <= PIECE_OFFSET) return;
    this.tags.fill(0);
    this.epoch = 1;
  }

  /** As {@link TranslationFront.takeHits}. */
  takeHits(): number {
    const hits = (this.hits - this.counted) >>> 0;
    this.counted = this.hits;
    return hits;
  }
}
