import { type Access, FAULT, type Pa, type PhysicalMemory, type Va } from '@uvmkit/pmap';
import type { Cpu } from './cpu.ts';
import type { Process } from './process.ts';
import { RETRY, type Traps, type WaitingFault } from './trap.ts';

/** The access may go ahead: {@link AccessPath.load} and {@link AccessPath.store} move its bytes. */
export const REACHED = 0;

/**
 * Every access that the fast path of a process does not end itself: those that fault, cross a page,
 * are not aligned, or go through a data cache.
 *
 * First {@link attempt} makes all of the access' pages reachable at once, as the hardware tries both
 * pages of a crossing access before it moves a byte; then `load` and `store` move bytes and cannot fail.
 *
 *           va        page boundary
 *     ──────┼─────────────┼──────────
 *           [ pa …  first ][ pa2 … ]
 */
export class AccessPath {
  readonly traps: Traps;
  readonly #memory: PhysicalMemory;
  readonly #pageSize: number;
  readonly #littleEndian: boolean;
  readonly #strict: boolean;
  // Of the access that was reached last.
  #va: Va = 0;
  #pa: Pa = 0;
  #pa2: Pa = 0;
  /** Bytes of it that lie in the first page. */
  #first = 0;

  constructor(traps: Traps, memory: PhysicalMemory, littleEndian: boolean, strict: boolean) {
    this.traps = traps;
    this.#memory = memory;
    this.#pageSize = memory.pageSize;
    this.#littleEndian = littleEndian;
    this.#strict = strict;
  }

  /** The physical address of the first byte of the access that was reached last. */
  get pa(): Pa {
    return this.#pa;
  }

  /**
   * Tries to reach the bytes [va, va + size).
   *
   * @param size 1 to 8, or anything that stays within one page
   * @param waiting the fault that the last attempt had to wait for, or null
   * @param faulted the MMU has just answered FAULT for `va`, and the record is still in its registers
   * @returns {@link REACHED}; WAIT (sleep on `uvm.waitChannel`, then try again with `traps.waiting`); or
   * REFUSED, with the reason in `traps.refusal`
   */
  attempt(
    process: Process,
    cpu: Cpu,
    va: Va,
    size: number,
    access: Access,
    waiting: WaitingFault | null,
    faulted: boolean,
  ): number {
    const { traps } = this;
    const { mmu } = cpu;
    process.load(cpu);
    const { space } = process;
    if (waiting !== null && waiting.space === space) {
      const outcome = traps.resume(waiting);
      if (outcome !== RETRY) return outcome;
    }
    const room = this.#roomInPage(va);
    for (let count = 0; ; count++) {
      let pa: Pa = faulted ? FAULT : mmu.translate(va, access);
      faulted = false;
      if (pa !== FAULT) {
        this.#pa = pa;
        if (size <= room) break;
        pa = mmu.translate(va + room, access);
        if (pa !== FAULT) {
          this.#pa2 = pa;
          break;
        }
      }
      const outcome = traps.handle(cpu, space, access, count);
      if (outcome !== RETRY) return outcome;
    }
    this.#va = va;
    this.#first = room;
    return REACHED;
  }

  /** Bytes from `va` to the end of its page. */
  #roomInPage(va: Va): number {
    const within = va % this.#pageSize;
    return within < 0 ? -within : this.#pageSize - within;
  }

  /**
   * Loads 1, 2 or 4 bytes, `offset` bytes into the access that was reached last, as an unsigned number in
   * the port's byte order.
   */
  load(cpu: Cpu, offset: number, size: number): number {
    const memory = this.#memory;
    const { dataCache } = cpu.mmu;
    const va = this.#va + offset;
    const pa = this.#byte(offset);
    const whole = offset + size <= this.#first || offset >= this.#first;
    if (size === 1) return dataCache === null ? memory.read8(pa) : dataCache.load(va, pa, 1);
    if (whole && va % size === 0 && dataCache !== null) return dataCache.load(va, pa, size);
    if (whole && dataCache === null && (va % size === 0 || !this.#strict)) {
      if (size === 4) return this.#littleEndian ? memory.readLe32(pa) : memory.readBe32(pa);
      return this.#littleEndian ? memory.readLe16(pa) : memory.readBe16(pa);
    }
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.load(cpu, offset + i, 1) << this.#shift(i, size);
    return value >>> 0;
  }

  /** Stores the low 1, 2 or 4 bytes of `value` there. */
  store(cpu: Cpu, offset: number, size: number, value: number): void {
    const memory = this.#memory;
    const { dataCache } = cpu.mmu;
    const va = this.#va + offset;
    const pa = this.#byte(offset);
    const whole = offset + size <= this.#first || offset >= this.#first;
    if (size === 1) {
      if (dataCache === null) memory.write8(pa, value & 0xff);
      else dataCache.store(va, pa, 1, value & 0xff);
    } else if (whole && va % size === 0 && dataCache !== null) dataCache.store(va, pa, size, value);
    else if (whole && dataCache === null && (va % size === 0 || !this.#strict)) {
      if (size === 4) {
        if (this.#littleEndian) memory.writeLe32(pa, value);
        else memory.writeBe32(pa, value);
      } else if (this.#littleEndian) memory.writeLe16(pa, value);
      else memory.writeBe16(pa, value);
    } else
      for (let i = 0; i < size; i++) this.store(cpu, offset + i, 1, value >>> this.#shift(i, size));
  }

  /** Copies out the bytes reached, all within one page. */
  read(cpu: Cpu, into: Uint8Array): void {
    const pa = this.#pa;
    const { dataCache } = cpu.mmu;
    if (dataCache === null) into.set(this.#memory.bytes.subarray(pa, pa + into.length));
    else for (let i = 0; i < into.length; i++) into[i] = dataCache.load(this.#va + i, pa + i, 1);
  }

  /** Copies bytes in, likewise. */
  write(cpu: Cpu, bytes: Uint8Array): void {
    const pa = this.#pa;
    const { dataCache } = cpu.mmu;
    if (dataCache === null) this.#memory.bytes.set(bytes, pa);
    else for (let i = 0; i < bytes.length; i++) dataCache.store(this.#va + i, pa + i, 1, bytes[i]!);
  }

  #byte(offset: number): Pa {
    return offset < this.#first ? this.#pa + offset : this.#pa2 + (offset - this.#first);
  }

  /** Where the byte at `i` of a word of `size` bytes stands in its value. */
  #shift(i: number, size: number): number {
    return 8 * (this.#littleEndian ? i : size - 1 - i);
  }
}
