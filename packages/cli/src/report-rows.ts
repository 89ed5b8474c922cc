import type { ReplayReport } from '@uvmkit/replay';

/** A line of a report: what it says, and its value for each architecture. */
export interface Row {
  readonly label: string;
  readonly value: (report: ReplayReport) => string;
}

/** Lines that belong together. */
export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
}

const number = new Intl.NumberFormat('en-US');

/** A count with commas. */
export function count(value: number): string {
  return number.format(Math.round(value));
}

/** How many checks of a replay did not hold. */
export function checksFailed({ mismatchCount }: ReplayReport): string {
  return `${count(mismatchCount)} ${mismatchCount === 1 ? 'check' : 'checks'} failed`;
}

/** Bytes in the unit that leaves up to four digits. */
export function bytes(value: number): string {
  if (value < 10 * 1024) return `${count(value)} B`;
  if (value < 10 * 1024 ** 2) return `${count(value / 1024)} KB`;
  return `${count(value / 1024 ** 2)} MB`;
}

/** Milliseconds, or seconds from ten of them on. */
export function duration(ms: number): string {
  return ms < 10_000 ? `${count(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

const row = (label: string, value: (report: ReplayReport) => string): Row => ({ label, value });
const counts = (label: string, of: (report: ReplayReport) => number): Row =>
  row(label, (report) => count(of(report)));

/** What a report says, from top to bottom. */
export const SECTIONS: readonly Section[] = [
  {
    title: 'Replayed',
    rows: [
      row('checks', (report) =>
        report.ok
          ? 'all held'
          : report.stopped !== null
            ? 'stopped'
            : `${count(report.mismatchCount)} failed`,
      ),
      counts('references', ({ work }) => work.references),
      counts('accesses (records)', ({ work }) => work.records),
      counts('  loads', ({ work }) => work.loads),
      counts('  stores', ({ work }) => work.stores),
      counts('  loads and stores in one', ({ work }) => work.updates),
      counts('  fetches', ({ work }) => work.fetches),
      row(
        'read and written by the kernel',
        ({ work }) => `${bytes(work.kernelBytesRead)}, ${bytes(work.kernelBytesWritten)}`,
      ),
      counts('system calls', ({ work }) => work.calls),
      counts('processes', ({ work }) => work.processes),
      counts('stack pages grown into', ({ work }) => work.stackGrowth),
    ],
  },
  {
    title: 'Mappings',
    rows: [
      row('what mlock does', ({ policy }) => policy),
      row('chance that a step forgets all', ({ amnesia }) => `${amnesia?.probability ?? 0}`),
      row('  times, mappings forgotten', ({ amnesia }) =>
        amnesia === null ? '-' : `${count(amnesia.strikes)}, ${count(amnesia.forgotten)}`,
      ),
    ],
  },
  {
    title: 'Faults',
    rows: [
      counts('traps', ({ faults }) => faults.traps),
      counts('  settled by the pmap', ({ faults }) => faults.settledByPmap),
      counts('  to UVM, for a load', ({ faults }) => faults.toUvmRead),
      counts('  to UVM, for a store', ({ faults }) => faults.toUvmWrite),
      counts('  to UVM, for a fetch', ({ faults }) => faults.toUvmFetch),
      counts('  of these, right missing', ({ faults }) => faults.toUvmProtect),
      counts('simulated by wiring', ({ faults }) => faults.wiring),
      counts('uvm_fault in all', ({ faults }) => faults.uvmFaults),
      counts('  1A  anon mapped', ({ faults }) => faults.case1A),
      counts('  1B  anon copied', ({ faults }) => faults.case1B),
      counts('  2A  object page mapped', ({ faults }) => faults.case2A),
      counts('  2B  object page copied', ({ faults }) => faults.case2BCopied),
      counts('  2B  zero-filled', ({ faults }) => faults.case2BZero),
      counts('amaps copied', ({ faults }) => faults.amapCopies),
      counts('waited for a page', ({ faults }) => faults.pageWaits),
      row(
        'neighbours mapped, anons and pages',
        ({ faults }) =>
          `${count(faults.mapped.neighbourAnons)}, ${count(faults.mapped.neighbourPages)}`,
      ),
    ],
  },
  {
    title: 'Memory',
    rows: [
      row('page size', ({ pageSize }) => bytes(pageSize)),
      row('RAM', ({ memoryBytes }) => bytes(memoryBytes)),
      row('swap', ({ swapBytes }) => (swapBytes === 0 ? 'none' : bytes(swapBytes))),
      counts('copies on write, pages', ({ memory }) => memory.cowCopies),
      counts('page-ins', ({ memory }) => memory.pageins),
      row(
        'pages swapped out and in',
        ({ memory }) => `${count(memory.swappedOut)}, ${count(memory.swappedIn)}`,
      ),
      counts('freed by the page daemon', ({ memory }) => memory.reclaimed),
      row('most resident', ({ memory }) => bytes(memory.peakResidentBytes)),
      row('most page tables', ({ memory }) => bytes(memory.peakTableBytes)),
      row(
        'most pages in use, of these fixed',
        ({ memory }) => `${count(memory.peakUsedPages)}, ${count(memory.peakFixedPages)}`,
      ),
      counts('most map entries', ({ memory }) => memory.peakMapEntries),
      counts('most amaps', ({ memory }) => memory.peakAmaps),
      counts('most processes', ({ memory }) => memory.peakProcesses),
      row(
        'free in the end, of pages',
        ({ memory }) => `${count(memory.freePages)} of ${count(memory.managedPages)}`,
      ),
    ],
  },
  {
    title: 'MMU',
    rows: [
      counts('translations', ({ mmu }) => mmu.lookups),
      row('TLB hits', ({ mmu }) => `${(mmu.hitRate * 100).toFixed(2)} %`),
      counts('TLB misses', ({ mmu }) => mmu.misses),
      counts('faults', ({ mmu }) => mmu.faults),
      row(
        'flushes, of a page and larger',
        ({ mmu }) => `${count(mmu.pageFlushes)}, ${count(mmu.fullFlushes)}`,
      ),
      counts('shootdowns', ({ mmu }) => mmu.shootdowns),
      counts('stolen by the pmap', ({ mmu }) => mmu.steals),
    ],
  },
  {
    title: 'Time',
    rows: [
      row('virtual', ({ time }) => duration(time.virtual / 1e6)),
      row('real', ({ time }) => (time.real === null ? '-' : duration(time.real))),
      row('accesses a second', ({ time }) =>
        time.recordsPerSecond === null ? '-' : count(time.recordsPerSecond),
      ),
      row('references a second', ({ time }) =>
        time.referencesPerSecond === null ? '-' : count(time.referencesPerSecond),
      ),
    ],
  },
];
