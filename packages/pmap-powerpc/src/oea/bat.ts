import type { Va } from '@uvmkit/pmap';
import {
  BAT_BEPI,
  BAT_BL,
  BAT_BL_SHIFT,
  BAT_BRPN,
  BAT_PP,
  BAT_VP,
  BAT_VS,
  batRights,
} from './pte.ts';

/** Pairs in each of the two arrays. */
export const BAT_PAIRS = 4;

/** What {@link BatArray.find} answers when no pair covers the address. */
export const BAT_MISS = -1;

/**
 * Four block address translation pairs (Programming Environments Manual, 7.4): a processor has one such array
 * for data and one for instructions. They are looked at before segments and pages, and a pair
 * that matches but forbids the access faults; nothing falls through.
 *
 *     EA      BEPI ∧ ¬BL         │ BL bits        │ 17-bit offset
 *             must match          │ from EA        │ from EA
 *     PA      BRPN               │                 │
 */
export class BatArray {
  private readonly words: Int32Array = new Int32Array(2 * BAT_PAIRS);

  /** Writes a pair: `mtdbatu n` and `mtdbatl n`, or their instruction twins. */
  set(pair: number, upper: number, lower: number): void {
    this.words[2 * pair] = upper;
    this.words[2 * pair + 1] = lower;
  }

  /** The upper word of a pair, unsigned. */
  upper(pair: number): number {
    return this.words[2 * pair]! >>> 0;
  }

  /** The lower word of a pair, unsigned. */
  lower(pair: number): number {
    return this.words[2 * pair + 1]! >>> 0;
  }

  /**
   * The pair that covers the address at this privilege, or `BAT_MISS` (-1). A block address with
   * bits inside its own length never matches; of several matches (a programming error) the first.
   */
  find(ea: Va, user: boolean): number {
    const valid = user ? BAT_VP : BAT_VS;
    for (let pair = 0; pair < BAT_PAIRS; pair++) {
      const upper = this.words[2 * pair]!;
      if ((upper & valid) === 0) continue;
      const block = (upper & BAT_BL) << BAT_BL_SHIFT;
      if ((ea & ~block & BAT_BEPI) === (upper & BAT_BEPI)) return pair;
    }
    return BAT_MISS;
  }

  /** What the pair makes of the address, as a signed word. */
  translate(pair: number, ea: Va): number {
    const inside = ((this.words[2 * pair]! & BAT_BL) << BAT_BL_SHIFT) | 0x1ffff;
    return (this.words[2 * pair + 1]! & BAT_BRPN) | (ea & inside);
  }

  /** `VM_PROT_READ | VM_PROT_WRITE` as the pair grants them. */
  rights(pair: number): number {
    return batRights(this.words[2 * pair + 1]! & BAT_PP);
  }

  /** Whether any pair valid at this privilege covers a part of the 256 MB segment. */
  touches(segment: number, user: boolean): boolean {
    const valid = user ? BAT_VP : BAT_VS;
    for (let pair = 0; pair < BAT_PAIRS; pair++) {
      const upper = this.words[2 * pair]!;
      if ((upper & valid) !== 0 && upper >>> 28 === segment) return true;
    }
    return false;
  }
}
