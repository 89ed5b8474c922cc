/**
 * Which pages of a segment are wired: 64 bits a segment, as `sg_wiremap` of NetBSD's later sparc pmap (after 2003).
 *
 * The pmap of 2001 keeps no such thing. With its wiring nothing looks at it but `Pmap.forget`, which 2001 had not
 * either and which must know what to leave alone.
 */
export class WireMap {
  /** Wired pages of each segment (`sg_nwired`). */
  readonly count: Uint8Array;
  private readonly bits: Int32Array;

  /** @param segments segments are numbered 0 … segments − 1 */
  constructor(segments: number) {
    this.count = new Uint8Array(segments);
    this.bits = new Int32Array(segments * 2);
  }

  /** Whether page `page` (0 … 63) of the segment is wired. */
  has(segment: number, page: number): boolean {
    return ((this.bits[segment * 2 + (page >>> 5)]! >>> (page & 31)) & 1) === 1;
  }

  /** Sets or clears it. Returns by how much the number of wired pages grew: −1, 0 or 1. */
  set(segment: number, page: number, wired: boolean): number {
    const was = this.has(segment, page);
    if (was === wired) return 0;
    this.bits[segment * 2 + (page >>> 5)]! ^= 1 << (page & 31);
    const growth = wired ? 1 : -1;
    this.count[segment]! += growth;
    return growth;
  }
}
