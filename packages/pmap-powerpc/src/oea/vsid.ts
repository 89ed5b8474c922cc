/** Address-space identifiers: VSID = 20-bit id · 16 + segment (VSID_MAKE of mpc6xx/pmap.h 1.3.8.2). */
export const NPMAPS = 32768;
/** The kernel's id (KERNEL_VSIDBITS). */
export const KERNEL_VSIDBITS = 0xfffff;
/** No id could be found. */
export const NO_VSID = -1;

/** Attempts before {@link VsidBitmap.allocate} gives up. */
const PROBES = 1024;

/** VSID_MAKE: the 24-bit VSID of a segment of the address space with a 20-bit id. */
export function vsidMake(segment: number, id: number): number {
  return segment | (id << 4);
}

/** VSID_TO_SR. */
export function vsidSegment(vsid: number): number {
  return vsid & 0xf;
}

/** VSID_TO_HASH. */
export function vsidId(vsid: number): number {
  return (vsid >>> 4) & 0xfffff;
}

/**
 * Which ids are taken (pmap_vsid_bitmap). An id's low bits are its place in the bitmap, so two live
 * ids never agree in them; the bits above come from the generator and only spread the hash.
 * Id 0 is never given out, and neither is the kernel's place.
 */
export class VsidBitmap {
  readonly #words: Int32Array;
  readonly #mask: number;
  #context = 0;

  /** @param places address spaces at once, a power of two from 32 to 32768 */
  constructor(places: number) {
    this.#words = new Int32Array(places >>> 5);
    this.#mask = places - 1;
    this.#words[0] = 1;
    this.#mark(KERNEL_VSIDBITS);
  }

  /** True if the id's place is taken. */
  has(id: number): boolean {
    const place = id & this.#mask;
    return (this.#words[place >>> 5]! & (1 << (place & 31))) !== 0;
  }

  #mark(id: number): void {
    const place = id & this.#mask;
    this.#words[place >>> 5]! |= 1 << (place & 31);
  }

  /**
   * A free id: the generator's next if its place is free, else the first free place of the same word, else
   * another draw (pmap_pinit). The word is the *place's*, which 1.8 got wrong and so gave ids out twice.
   *
   * @param entropy the time base, which goes on ticking from draw to draw
   * @returns the id, or {@link NO_VSID} after 1024 draws that met full words
   */
  allocate(entropy: number): number {
    for (let probe = 0; probe < PROBES; probe++) {
      this.#context = (Math.imul(this.#context, 0x1105) + entropy + probe) | 0;
      let id = this.#context & 0xfffff;
      const place = id & this.#mask;
      if (place === 0) continue;
      const word = this.#words[place >>> 5]!;
      if (word === -1) continue;
      if (this.has(id)) id = (id & ~31) | (31 - Math.clz32(~word & -~word));
      this.#mark(id);
      return id;
    }
    return NO_VSID;
  }

  /** Makes the id's place free again. */
  release(id: number): void {
    const place = id & this.#mask;
    this.#words[place >>> 5]! &= ~(1 << (place & 31));
  }
}
