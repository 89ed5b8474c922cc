import type { Prot } from '@uvmkit/pmap';
import type { FakeFile } from './disk.ts';
import { fileByte, PAGE, type Proc } from './kit.ts';

/** Seeded numbers (mulberry32): the same seed, the same run. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 to `sides` − 1. */
  roll(sides: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((((t ^ (t >>> 14)) >>> 0) * sides) / 2 ** 32) | 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.roll(list.length)]!;
  }

  chance(oneIn: number): boolean {
    return this.roll(oneIn) === 0;
  }
}

/** The bytes of a page that are watched. */
export const SPOTS: readonly number[] = [0, 101, 2048, PAGE - 1];
export type Spots = number[];
export const zeroes = (): Spots => SPOTS.map(() => 0);

/** What a file ought to hold: pages that were never written hold zeroes. */
export class FileModel {
  readonly file: FakeFile;
  readonly pages: Spots[] = [];

  constructor(file: FakeFile, pages: number) {
    this.file = file;
    for (let i = 0; i < pages; i++)
      this.pages.push(
        SPOTS.map((at) => (file.isAllocated(i * PAGE) ? fileByte(i * PAGE + at) : 0)),
      );
  }

  /** Pages that may be touched: the file's last is one of them, even if the file does not fill it. */
  get count(): number {
    return Math.ceil(this.file.vnode.size / PAGE);
  }
}

/** What backs a page of a process: its own bytes once it has them, a file's until then, or zeroes. */
export interface Memory {
  own: Spots | null;
  readonly file: FileModel | null;
  readonly index: number;
}

/** A page of an address space. A page that is shared has one `memory` in several spaces. */
export interface PageModel {
  memory: Memory;
  prot: Prot;
  readonly shared: boolean;
  /** Of an anonymous object. */
  readonly segment?: boolean;
  inherit: number;
  wired: boolean;
}

/** A process and what it must see. */
export interface ProcModel {
  readonly proc: Proc;
  readonly pages: Map<number, PageModel>;
}

/** A page of a file that has no such page. */
export function beyondEnd({ own, file, index }: Memory): boolean {
  return own === null && file !== null && index >= file.count;
}

/** Whether a byte lies within the file, if there is one. */
export function insideFile({ file, index }: Memory, spot: number): boolean {
  return file === null || SPOTS[spot]! + index * PAGE < file.file.vnode.size;
}

/** What must be read. */
export function readSpot({ own, file, index }: Memory, spot: number): number {
  return (own ?? file?.pages[index] ?? zeroes())[spot]!;
}

/** The page is the process' own from now on. */
export function promoted(memory: Memory): void {
  if (memory.file !== null) memory.own ??= [...memory.file.pages[memory.index]!];
}

/** A byte has been stored, through a shared mapping or a private one. */
export function stored({ memory, shared }: PageModel, spot: number, value: number): void {
  const { file, index } = memory;
  if (file !== null && shared) {
    file.pages[index]![spot] = value;
    return;
  }
  memory.own ??= [...(file?.pages[index] ?? zeroes())];
  memory.own[spot] = value;
}
