import type { DataCache, Pa, PhysicalMemory, Va } from '@uvmkit/pmap';
import {
  CACHE_ALIAS_DIST,
  isMemory,
  isValid,
  NBPG,
  PG_NC,
  PG_S,
  PG_V,
  PG_W,
  SYSEN_CACHE,
} from './pte.ts';

/** What the cache sees of its MMU. */
export interface VacHost {
  /** The context register. */
  readonly context: number;
  /** The system enable register. */
  readonly systemEnable: number;
  /** The PTE for `va` in the current context, as it stands. */
  getPte(va: Va): number;
}

/*
 * A tag, one word a line; V, W and S where a PTE has them:
 *
 *      31  30  29      19      16 15           0
 *     | V | W | S |   | context  |  VA[31:16]   |
 */
const TAG_V = 1 << 31;
const TAG_S = 1 << 29;
const TAG_RIGHTS_SHIFT = 29;
const TAG_CONTEXT = 0x000f_0000;
const TAG_CONTEXT_SHIFT = 16;
const TAG_ADDRESS = 0x0000_ffff;

/** Pages' worth of lines. */
const CACHE_PAGES = CACHE_ALIAS_DIST / NBPG;

/** No line. */
export const NO_LINE = -1;

/**
 * The sun4c's virtually addressed cache: 64 KB, direct mapped, write-through, not allocated on stores, instructions and
 * data in one.
 *
 *      31              16 15            4 3        0
 *     |       tag        |     line      |  offset  |        (lines of 16 bytes)
 *
 * It is looked up by the virtual address before the MMU has said a word. So one page at two
 * addresses that differ in bits 15:12 has two places in the cache, and a store through one is not seen
 * through the other: the bytes here are real, and so is the stale data. A line carries copies of the W and S
 * of its PTE, which decide on a hit whatever the PTE says by then.
 *
 * A store that misses drops the line it falls on, so that addresses which share a line (congruent ones,
 * or one address in two contexts) agree; the sources do not state this, but all software relies on it.
 */
export class Vac implements DataCache {
  /** Bytes in a line. */
  readonly lineBytes: number;
  private readonly lineShift: number;
  private readonly host: VacHost;
  private readonly memory: PhysicalMemory;
  private readonly tags: Int32Array;
  /** The physical address of each line's first byte. */
  private readonly pa: Int32Array;
  private readonly bytes: Uint8Array = new Uint8Array(CACHE_ALIAS_DIST);
  private readonly view: DataView = new DataView(this.bytes.buffer);
  /** Valid lines in each page's worth of the cache: an empty one needs no flush. */
  private readonly valid: Int32Array = new Int32Array(CACHE_PAGES);

  /** @param lineBytes 16 (SPARCstation 1) or 32 (SPARCstation 2) */
  constructor(host: VacHost, memory: PhysicalMemory, lineBytes: 16 | 32) {
    this.host = host;
    this.memory = memory;
    this.lineBytes = lineBytes;
    this.lineShift = lineBytes === 16 ? 4 : 5;
    this.tags = new Int32Array(CACHE_ALIAS_DIST / lineBytes);
    this.pa = new Int32Array(CACHE_ALIAS_DIST / lineBytes);
  }

  /** The line that holds the byte at `va` for `context`, or `NO_LINE` (-1). */
  find(va: Va, context: number): number {
    const line = (va & (CACHE_ALIAS_DIST - 1)) >>> this.lineShift;
    const tag = this.tags[line]!;
    if ((tag & (TAG_V | TAG_ADDRESS)) !== (TAG_V | (va >>> 16))) return NO_LINE;
    return tag & TAG_S || (tag & TAG_CONTEXT) >>> TAG_CONTEXT_SHIFT === context ? line : NO_LINE;
  }

  /** V, W and S of a line's tag, as bits 2:0. */
  rights(line: number): number {
    return this.tags[line]! >>> TAG_RIGHTS_SHIFT;
  }

  /** The physical address of the byte at `va`, which `line` holds. */
  physical(line: number, va: Va): Pa {
    return this.pa[line]! + (va & (this.lineBytes - 1));
  }

  load(va: Va, pa: Pa, size: number): number {
    if (this.host.systemEnable & SYSEN_CACHE) {
      if (this.find(va, this.host.context) !== NO_LINE) return this.read(va, size);
      const pte = this.host.getPte(va);
      if (isValid(pte) && isMemory(pte) && !(pte & PG_NC) && pa < this.memory.size) {
        this.fill(va, pa, pte);
        return this.read(va, size);
      }
    }
    return size === 4
      ? this.memory.readBe32(pa)
      : size === 2
        ? this.memory.readBe16(pa)
        : this.memory.read8(pa);
  }

  store(va: Va, pa: Pa, size: number, value: number): void {
    if (this.host.systemEnable & SYSEN_CACHE) {
      const line = (va & (CACHE_ALIAS_DIST - 1)) >>> this.lineShift;
      if (this.find(va, this.host.context) === line) this.write(va, size, value);
      else this.drop(line);
    }
    if (size === 4) this.memory.writeBe32(pa, value);
    else if (size === 2) this.memory.writeBe16(pa, value);
    else this.memory.write8(pa, value);
  }

  private read(va: Va, size: number): number {
    const at = va & (CACHE_ALIAS_DIST - 1);
    return size === 4
      ? this.view.getUint32(at)
      : size === 2
        ? this.view.getUint16(at)
        : this.view.getUint8(at);
  }

  private write(va: Va, size: number, value: number): void {
    const at = va & (CACHE_ALIAS_DIST - 1);
    if (size === 4) this.view.setUint32(at, value);
    else if (size === 2) this.view.setUint16(at, value);
    else this.view.setUint8(at, value);
  }

  private fill(va: Va, pa: Pa, pte: number): void {
    const at = va & (CACHE_ALIAS_DIST - this.lineBytes);
    const line = at >>> this.lineShift;
    const start = pa - (pa & (this.lineBytes - 1));
    for (let byte = 0; byte < this.lineBytes; byte++)
      this.bytes[at + byte] = this.memory.bytes[start + byte]!;
    if ((this.tags[line]! & TAG_V) === 0) this.valid[at >>> 12]!++;
    const rights = pte & (PG_V | PG_W | PG_S);
    this.tags[line] = rights | (this.host.context << TAG_CONTEXT_SHIFT) | (va >>> 16);
    this.pa[line] = start;
  }

  private drop(line: number): void {
    if ((this.tags[line]! & TAG_V) === 0) return;
    this.tags[line] = 0;
    this.valid[line >>> (12 - this.lineShift)]!--;
  }

  /** Flushes the lines of one page (ASI 0xD): those of the current context, and supervisor lines of any. */
  flushPage(va: Va): void {
    this.flushWithin((va >>> 12) & (CACHE_PAGES - 1), va, 0);
  }

  /** Flushes the lines of one segment (ASI 0xC), chosen alike. */
  flushSegment(va: Va): void {
    for (let page = 0; page < CACHE_PAGES; page++) this.flushWithin(page, va, 2);
  }

  /** Of one page of the cache, flushes the lines whose tag agrees with `va` above its lowest `shift` bits. */
  private flushWithin(page: number, va: Va, shift: number): void {
    if (this.valid[page] === 0) return;
    const end = this.firstLine(page + 1);
    for (let line = this.firstLine(page); line < end; line++) {
      const tag = this.tags[line]!;
      const matches = ((tag & TAG_ADDRESS) ^ (va >>> 16)) >>> shift === 0;
      if (matches && (tag & TAG_S || this.isCurrent(tag))) this.drop(line);
    }
  }

  /** Flushes the current context's lines (ASI 0xE); supervisor lines stay. */
  flushContext(): void {
    for (let page = 0; page < CACHE_PAGES; page++) {
      if (this.valid[page] === 0) continue;
      const end = this.firstLine(page + 1);
      for (let line = this.firstLine(page); line < end; line++) {
        const tag = this.tags[line]!;
        if ((tag & TAG_S) === 0 && this.isCurrent(tag)) this.drop(line);
      }
    }
  }

  /**
   * Drops every line of [pa, pa + length), whatever address and context it was filled under: what software does by
   * writing tags (ASI 2) where it does not know the addresses. Memory has every store already.
   */
  dropPhysical(pa: Pa, length: number): void {
    for (let page = 0; page < CACHE_PAGES; page++) {
      if (this.valid[page] === 0) continue;
      const end = this.firstLine(page + 1);
      for (let line = this.firstLine(page); line < end; line++) {
        const at = this.pa[line]!;
        if (at + this.lineBytes > pa && at < pa + length) this.drop(line);
      }
    }
  }

  private firstLine(page: number): number {
    return (page * NBPG) >>> this.lineShift;
  }

  private isCurrent(tag: number): boolean {
    return (tag & TAG_CONTEXT) >>> TAG_CONTEXT_SHIFT === this.host.context;
  }

  flushAll(): void {
    this.tags.fill(0);
    this.valid.fill(0);
  }
}
