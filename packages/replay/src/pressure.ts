import { Machine } from '@uvmkit/machine';
import type { Port } from '@uvmkit/pmap';
import type { ReplayOptions, SurveyedRecording } from './replay.ts';
import { replayRecording } from './replay.ts';
import type { ReplayReport } from './report.ts';

/** Pages that UVM keeps for itself whatever happens: the daemon's targets are at least as many (uvm.md §8). */
const RESERVE = 10;

/**
 * Replays a recording with a part of the memory that it needs, and swap for all of it.
 *
 *     managed memory = what cannot be paged out + working set / divisor
 *
 * The working set is the most memory in use at one time when there was plenty, less what cannot be paged out: page
 * tables, kernel memory, what the program locks. File pages that stay cached count, as they do for the page daemon.
 * The program may lock what it locked when it was recorded: the limit of a third of memory (`uvmexp.wiredmax`) is lifted.
 *
 * @param plentiful the report of the same recording on the same port, with memory to spare
 * @param options its `memory` is not used, and its `swap` only if it is given
 * @param divisor 1 or more
 * @throws RangeError for another divisor, and what {@link replayRecording} throws
 */
export async function replayUnderPressure(
  opened: SurveyedRecording,
  options: ReplayOptions,
  plentiful: ReplayReport,
  divisor: number,
): Promise<ReplayReport> {
  if (!(divisor >= 1)) throw new RangeError(`a divisor of memory is 1 or more, given ${divisor}`);
  const { port, prepare } = options;
  const { peakUsedPages, peakFixedPages } = plentiful.memory;
  const workingSet = peakUsedPages - peakFixedPages;
  const pages = peakFixedPages + Math.max(Math.ceil(workingSet / divisor), RESERVE);
  return replayRecording(opened, {
    swap: 2 * peakUsedPages * port.layout.pageSize,
    ...options,
    memory: memoryFor(port, pages),
    prepare(machine) {
      machine.uvm.exp.wiredmax = machine.uvm.exp.npages;
      prepare?.(machine);
    },
  });
}

/** Bytes of RAM with which UVM manages so many pages: what the port takes at boot grows with memory, so it is asked. */
function memoryFor(port: Port, pages: number): number {
  const { pageSize } = port.layout;
  const managed = (total: number): number =>
    new Machine({ port, memory: total * pageSize }).uvm.exp.npages;
  // More than the port takes of any memory that the loop below asks about.
  let total = pages + (4 << 20) / pageSize;
  for (let tries = 0; tries < 4; tries++) total += pages - managed(total);
  while (managed(total) < pages) total++;
  return total * pageSize;
}
