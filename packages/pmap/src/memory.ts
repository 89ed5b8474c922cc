import type { Pa } from './address.ts';

/**
 * RAM: one arena of bytes from physical address 0, in pages.
 *
 * Word access takes either byte order whatever the host's is. Addresses need no alignment, but must
 * lie wholly inside the arena: a word beyond it is a RangeError (a port that walks off the end of
 * memory has a bug, and no architecture here answers such an access usefully). Addresses are taken as 32 bits, which
 * keeps them integers on the access path; memory is smaller than 4 GB, so that `FAULT` is never an address.
 */
export class PhysicalMemory {
  /** Bytes in the arena. */
  readonly size: number;
  /** Bytes in a page: a power of two, at least 4096. */
  readonly pageSize: number;
  /** log2 of the page size. */
  readonly pageShift: number;
  /** The bytes themselves. */
  readonly bytes: Uint8Array;
  private readonly view: DataView;

  /**
   * Allocates the arena; the host commits its pages as they are first touched, where it can.
   *
   * @param size bytes, a positive multiple of `pageSize`, below 2^32
   * @param pageSize bytes, a power of two ≥ 4096
   * @throws RangeError if either is not so
   */
  constructor(size: number, pageSize: number) {
    if (!Number.isSafeInteger(pageSize) || pageSize < 4096 || (pageSize & (pageSize - 1)) !== 0)
      throw new RangeError(
        `page size must be a power of two of at least 4096 bytes, given ${pageSize}`,
      );
    if (!Number.isSafeInteger(size) || size <= 0 || size % pageSize !== 0 || size >= 2 ** 32)
      throw new RangeError(
        `memory size must be a positive multiple of ${pageSize} bytes below 4 GB, given ${size}`,
      );
    this.size = size;
    this.pageSize = pageSize;
    this.pageShift = Math.log2(pageSize);
    const arena = new ArrayBuffer(size);
    this.bytes = new Uint8Array(arena);
    this.view = new DataView(arena);
  }

  read8(pa: Pa): number {
    return this.view.getUint8(pa >>> 0);
  }

  write8(pa: Pa, value: number): void {
    this.view.setUint8(pa >>> 0, value);
  }

  /** 16 bits, little-endian, unsigned. */
  readLe16(pa: Pa): number {
    return this.view.getUint16(pa >>> 0, true);
  }

  writeLe16(pa: Pa, value: number): void {
    this.view.setUint16(pa >>> 0, value, true);
  }

  /** 32 bits, little-endian, as an unsigned number. */
  readLe32(pa: Pa): number {
    return this.view.getUint32(pa >>> 0, true);
  }

  writeLe32(pa: Pa, value: number): void {
    this.view.setUint32(pa >>> 0, value, true);
  }

  /** 16 bits, big-endian, unsigned. */
  readBe16(pa: Pa): number {
    return this.view.getUint16(pa >>> 0, false);
  }

  writeBe16(pa: Pa, value: number): void {
    this.view.setUint16(pa >>> 0, value, false);
  }

  /** 32 bits, big-endian, as an unsigned number. */
  readBe32(pa: Pa): number {
    return this.view.getUint32(pa >>> 0, false);
  }

  writeBe32(pa: Pa, value: number): void {
    this.view.setUint32(pa >>> 0, value, false);
  }

  /**
   * Fills `length` bytes at `pa` with zero.
   *
   * @throws RangeError unless all of them lie in the arena
   */
  zero(pa: Pa, length: number = this.pageSize): void {
    if (!(pa >= 0 && length >= 0 && pa + length <= this.size)) throw this.outside(pa, length);
    this.bytes.fill(0, pa, pa + length);
  }

  /**
   * Copies `length` bytes from `src` to `dst`; the ranges may overlap.
   *
   * @throws RangeError unless both ranges lie in the arena
   */
  copy(src: Pa, dst: Pa, length: number = this.pageSize): void {
    if (!(src >= 0 && length >= 0 && src + length <= this.size)) throw this.outside(src, length);
    if (!(dst >= 0 && dst + length <= this.size)) throw this.outside(dst, length);
    this.bytes.copyWithin(dst, src, src + length);
  }

  private outside(pa: Pa, length: number): RangeError {
    return new RangeError(`memory is ${this.size} bytes, given ${length} at ${pa}`);
  }
}
