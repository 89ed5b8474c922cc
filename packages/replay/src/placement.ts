import { hex, type Layout, type Va } from '@uvmkit/pmap';
import { TRACE_PAGE } from './records.ts';
import type { Island, Survey } from './survey.ts';

/** A recording does not fit a machine: says what was to be laid out and what there is. */
export class PlacementError extends Error {
  override readonly name: string = 'PlacementError';
}

/** A stretch of the recorded address space and where the machine has it. Bytes; ends not included. */
export interface Moved {
  readonly what: 'stack' | 'regions';
  readonly from: { readonly start: number; readonly end: number };
  readonly to: { readonly start: Va; readonly end: Va };
}

/** An island with its place. */
interface Placed extends Island {
  /** The machine's address of its first page. */
  readonly base: Va;
}

/** Moved islands keep their place within this much, so that page tables and cache lines fall as they did. */
const KEEP = 4 << 20;

/**
 * Where a recorded address space lies on a machine. One answer for the whole recording: whatever is ever
 * mapped is gathered in islands, and an island moves as a whole or stays.
 *
 *     recorded pages   [text]     [libraries, heap, mmap …]     [tool]      [stack]
 *                         │                  │                      ╲            ╲
 *     machine          [text]     [libraries, heap, mmap …]   [tool]      [stack]│userStack
 *
 * A recorded page has 4096 bytes. Where the machine's pages are larger and the recording allows it, several
 * recorded pages lie in one of the machine's, as they did; where regions with different rights or contents would
 * then share a page, the layout is spread: every recorded page gets a page of the machine's to itself.
 */
export class Placement {
  /** Bytes of the machine's address space that stand for a recorded page. */
  readonly unit: number;
  /** Why the layout is spread, or null if it is not. */
  readonly spread: string | null;
  readonly moved: readonly Moved[];
  /** Slots in all: every recorded page of every island has one, from 0 on. */
  readonly slots: number;
  /** Bytes of stack that the recording needs. */
  readonly stackBytes: number;
  readonly #islands: readonly Placed[];
  readonly #first: readonly number[];

  constructor(unit: number, spread: string | null, islands: readonly Placed[]) {
    this.unit = unit;
    this.spread = spread;
    this.#islands = islands;
    let slots = 0;
    this.#first = islands.map(({ start, end }) => (slots += end - start) - (end - start));
    this.slots = slots;
    const stack = islands.find((island) => island.stack);
    this.stackBytes = stack === undefined ? 0 : (stack.end - stack.start) * unit;
    this.moved = islands
      .filter(({ start, base }) => base !== start * unit)
      .map((island) => movement(island, unit));
  }

  /** The number of the island that holds a recorded page, or −1. */
  island(page: number): number {
    const islands = this.#islands;
    for (let i = 0; i < islands.length; i++)
      if (page < islands[i]!.end && page >= islands[i]!.start) return i;
    return -1;
  }

  start(island: number): number {
    return this.#islands[island]!.start;
  }

  end(island: number): number {
    return this.#islands[island]!.end;
  }

  base(island: number): Va {
    return this.#islands[island]!.base;
  }

  /** The slot of an island's first page. */
  firstSlot(island: number): number {
    return this.#first[island]!;
  }

  /** The slot of a recorded page, or −1 if it lies nowhere. */
  slot(page: number): number {
    const island = this.island(page);
    return island < 0 ? -1 : this.firstSlot(island) + page - this.start(island);
  }

  /** The machine's address of a recorded page, which may be the one just behind an island. NaN if it lies nowhere. */
  va(page: number): Va {
    for (const { start, end, base } of this.#islands)
      if (page >= start && page <= end) return base + (page - start) * this.unit;
    return NaN;
  }

  /** Calls `visit` for the parts of [start, end) that lie in islands: the first slot and their number, address and bytes. */
  each(
    start: number,
    end: number,
    visit: (slot: number, count: number, va: Va, length: number) => void,
  ): void {
    this.#islands.forEach((island, i) => {
      const from = Math.max(start, island.start);
      const count = Math.min(end, island.end) - from;
      if (count > 0)
        visit(
          this.#first[i]! + from - island.start,
          count,
          island.base + (from - island.start) * this.unit,
          count * this.unit,
        );
    });
  }
}

function movement(island: Placed, unit: number): Moved {
  const { start, end, stack, base } = island;
  return {
    what: stack ? 'stack' : 'regions',
    from: { start: start * TRACE_PAGE, end: end * TRACE_PAGE },
    to: { start: base, end: base + (end - start) * unit },
  };
}

/**
 * Lays a recording out on a machine.
 *
 * Islands stay where they are (spread: at so many pages from 0) if the machine's user space has room for them there. The
 * others, in the order of their addresses, go to the lowest room there is. The stack goes to the machine's stack.
 *
 * @throws PlacementError if there is no room
 */
export function placeRecording(survey: Survey, layout: Layout): Placement {
  const factor = layout.pageSize / TRACE_PAGE;
  const spread = factor > 1 ? survey.conflict(factor) : null;
  const unit = spread === null ? TRACE_PAGE : layout.pageSize;
  const room = new Room(layout);
  const placed = new Map<Island, Va>();
  const homeless: Island[] = [];
  const islands = survey.islands.map((island) =>
    unit === TRACE_PAGE && !island.stack ? wholePages(island, factor) : island,
  );
  for (const island of islands) {
    const bytes = (island.end - island.start) * unit;
    if (island.stack) {
      if (bytes > layout.maxStackSize)
        throw new PlacementError(
          `the recording needs ${bytes} bytes of stack, the machine has at most ${layout.maxStackSize}`,
        );
      placed.set(island, layout.userStack - bytes);
    } else if (room.take(island.start * unit, bytes)) placed.set(island, island.start * unit);
    else homeless.push(island);
  }
  for (const island of homeless) {
    const bytes = (island.end - island.start) * unit;
    const base = room.find(bytes, island.start * unit, layout.pageSize);
    if (base === null)
      throw new PlacementError(
        `the machine's user space ${hex(layout.userMin)}-${hex(layout.userMax)} has no room for ${bytes} bytes recorded at ${hex(island.start * TRACE_PAGE)}`,
      );
    placed.set(island, base);
  }
  return new Placement(
    unit,
    spread,
    islands.map((island) => ({ ...island, base: placed.get(island)! })),
  );
}

/** The island rounded outwards to the machine's pages, which it cannot share with another island. */
function wholePages(island: Island, factor: number): Island {
  return {
    ...island,
    start: Math.floor(island.start / factor) * factor,
    end: Math.ceil(island.end / factor) * factor,
  };
}

/** What is free of a user space, ascending. */
class Room {
  #free: { start: Va; end: Va }[];

  constructor(layout: Layout) {
    // Page 0 stays free, so that null pointers trap; all of what may become stack is the stack's.
    this.#free = [
      { start: layout.userMin + (layout.userMin === 0 ? layout.pageSize : 0), end: layout.userMax },
    ];
    for (const hole of layout.userHoles) this.#remove(hole.start, hole.end);
    this.#remove(layout.userStack - layout.maxStackSize, layout.userStack);
  }

  /** Takes exactly that, if it is free. */
  take(start: Va, bytes: number): boolean {
    const free = this.#free.some((gap) => gap.start <= start && start + bytes <= gap.end);
    if (free) this.#remove(start, start + bytes);
    return free;
  }

  /** Takes the lowest room of that size which lies like `like` within {@link KEEP}, or else within a page; null if there is none. */
  find(bytes: number, like: number, pageSize: number): Va | null {
    for (const keep of [KEEP, pageSize])
      for (const gap of this.#free) {
        const start = gap.start + ((((like - gap.start) % keep) + keep) % keep);
        if (start + bytes > gap.end) continue;
        this.#remove(start, start + bytes);
        return start;
      }
    return null;
  }

  #remove(start: Va, end: Va): void {
    this.#free = this.#free.flatMap((gap) => {
      if (end <= gap.start || start >= gap.end) return [gap];
      const rest: { start: Va; end: Va }[] = [];
      if (gap.start < start) rest.push({ start: gap.start, end: start });
      if (end < gap.end) rest.push({ start: end, end: gap.end });
      return rest;
    });
  }
}
