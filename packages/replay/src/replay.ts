import {
  DeadlockError,
  Machine,
  type MachineOptions,
  OPTIMISATIONS,
  type Optimisations,
  ProcessSignal,
} from '@uvmkit/machine';
import { KernelPanic, type Port } from '@uvmkit/pmap';
import type { WiringPolicy } from '@uvmkit/uvm-core';
import { Census } from './census.ts';
import { Findings } from './findings.ts';
import { type Placement, placeRecording, PlacementError } from './placement.ts';
import { Recording } from './recording.ts';
import { TRACE_PAGE, type TraceHandler } from './records.ts';
import { Replayer } from './replayer.ts';
import { ReplayState } from './replay-state.ts';
import type { ReplayReport } from './report.ts';
import { surveyRecording, type Survey } from './survey.ts';
import { TracePlace } from './trace-error.ts';

/** A recording that can be read more than once. */
export interface RecordingSource {
  /** What messages call it. */
  readonly name: string;
  /** Reads it from the start: `readVmtrace` or `readLackey` on a fresh stream. */
  read(place: TracePlace, handler: TraceHandler): Promise<void>;
}

/** What a recording turned out to hold, before it is replayed. */
export interface SurveyedRecording {
  readonly source: RecordingSource;
  readonly survey: Survey;
  readonly recording: Recording;
}

/**
 * Reads a recording once, from its first line to its last, checking everything but whether its references are to
 * memory that is mapped. It can then be replayed on any number of machines.
 *
 * @throws TraceError if it is not a recording
 */
export async function openRecording(source: RecordingSource): Promise<SurveyedRecording> {
  const place = new TracePlace(source.name);
  const { survey, recording } = await surveyRecording(place, (handler) =>
    source.read(place, handler),
  );
  return { source, survey, recording };
}

/** How to replay. */
export interface ReplayOptions extends Optimisations {
  readonly port: Port;
  /**
   * Bytes of RAM, a multiple of the port's page size; 64 MB if not given, and as many pages as those where every
   * recorded page gets a larger one.
   */
  readonly memory?: number;
  /** Bytes of a disk to swap to, a multiple of the port's page size; no swap if not given or 0. */
  readonly swap?: number;
  /** 1 if not given. */
  readonly seed?: number;
  /** How likely it is, 0 … 1, that every pmap forgets all that is not wired at a step; 0 if not given. See `MachineOptions`. */
  readonly amnesia?: number;
  /** Count references to pages that are mapped nowhere, rather than taking them for bad input. */
  readonly countUnmapped?: boolean;
  /** Make calls that lead the kernel of 2001 into a panic of its own as they stand, rather than go round it. */
  readonly hazards?: boolean;
  /** What mlock(2) does; as the commit of 31 December 2001 has it if not given. */
  readonly wiring?: WiringPolicy;
  /** Real time in ms, for the report. */
  readonly clock?: () => number;
  /** Told now and then how many records are done. */
  readonly progress?: (records: number) => void;
  /** Given the machine before anything runs on it, to watch it or to spoil it. */
  readonly prepare?: (machine: Machine) => void;
}

/** Bytes of RAM, where a recorded page has its own size. */
const DEFAULT_MEMORY = 64 << 20;
/** Records between two calls of `progress`. */
const PROGRESS = 1 << 15;

/**
 * Replays a recording on a machine with the given port and reports. Checks that do not hold are in the report;
 * a panic or a killed process ends the replay and is in the report too.
 *
 * @throws TraceError for a reference to memory that is not mapped; PlacementError if the recording does not
 * fit the port's address space, or the machine cannot be built
 */
export async function replayRecording(
  opened: SurveyedRecording,
  options: ReplayOptions,
): Promise<ReplayReport> {
  const { source, survey } = opened;
  const { port, seed = 1 } = options;
  const without = OPTIMISATIONS.filter((name) => options[name] === false);
  const placement = placeRecording(survey, port.layout);
  const machine = buildMachine({
    port,
    seed,
    amnesia: options.amnesia ?? 0,
    ...Object.fromEntries(without.map((name) => [name, false])),
    memory: options.memory ?? (DEFAULT_MEMORY / TRACE_PAGE) * placement.unit,
    disk: { size: diskSize(opened, placement) },
    ...(options.wiring === undefined ? {} : { wiring: options.wiring }),
  });
  const { swap = 0 } = options;
  if (swap > 0) addSwap(machine, swap);
  options.prepare?.(machine);
  const place = new TracePlace(source.name);
  const findings = new Findings();
  const census = new Census(machine);
  const state = new ReplayState(machine, placement, survey, place, findings);
  const replayer = new Replayer(state, census, {
    countUnmapped: options.countUnmapped ?? false,
    hazards: options.hazards ?? false,
  });
  const recording = new Recording(place, replayer);
  const before = options.clock?.() ?? null;
  let stopped: string | null = null;
  try {
    await source.read(
      place,
      options.progress === undefined ? recording : withProgress(recording, options.progress),
    );
    census.sample();
  } catch (error) {
    if (
      !(
        error instanceof KernelPanic ||
        error instanceof ProcessSignal ||
        error instanceof DeadlockError
      )
    )
      throw error;
    stopped = `line ${place.line}: ${error.message}`;
  }
  census.close();
  const real = before === null ? null : options.clock!() - before;
  return makeReport({ state, replayer, recording, census, seed, without, stopped, real });
}

/** A machine that cannot be built is one that the recording does not fit. */
function buildMachine(options: MachineOptions): Machine {
  try {
    return new Machine(options);
  } catch (error) {
    if (error instanceof RangeError) throw new PlacementError(error.message);
    throw error;
  }
}

/** Where a replay's swap is. */
const SWAP_DEVICE = '/dev/sd1b';

/** A disk of that size, all of it swap: its first page is not used, so it has one more. */
function addSwap(machine: Machine, bytes: number): void {
  const { pageSize } = machine.uvm;
  if (bytes % pageSize !== 0)
    throw new PlacementError(`swap must be pages of ${pageSize} bytes, given ${bytes} bytes`);
  const disk = machine.addDisk({ size: bytes + pageSize });
  const backend = machine.addPartition(SWAP_DEVICE, disk).swapBackend(pageSize);
  machine.swapBackends.set(SWAP_DEVICE, backend);
  machine.uvm.swap.on(backend, 0);
}

/** Room for every file at its largest, and for what the file system wants beside. */
function diskSize({ survey, recording }: SurveyedRecording, placement: Placement): number {
  const scale = placement.unit / TRACE_PAGE;
  let bytes = 0;
  for (const object of recording.objects) bytes += survey.largest(object) * scale;
  const size = Math.max(64 << 20, Math.ceil((bytes * 1.1 + (16 << 20)) / (1 << 20)) * (1 << 20));
  if (size > MOST_DISK)
    throw new PlacementError(
      `the files of the recording need a disk of ${size} bytes, at most ${MOST_DISK} can be had`,
    );
  return size;
}

/** The largest disk. */
const MOST_DISK = 2 ** 30;

/** The same handler, with a look at the watch every so many records. */
function withProgress(recording: Recording, progress: (records: number) => void): TraceHandler {
  let records = 0;
  return {
    header: (key, value) => recording.header(key, value),
    process: (pid, tid) => recording.process(pid, tid),
    region: (region) => recording.region(region),
    reference(kind, page, count) {
      if (++records % PROGRESS === 0) progress(records);
      recording.reference(kind, page, count);
    },
    call: (call) => recording.call(call),
    end: (totals) => recording.end(totals),
  };
}

function amnesiaOf({ amnesia }: Machine): ReplayReport['amnesia'] {
  if (amnesia === null) return null;
  const { probability, strikes, forgotten } = amnesia;
  return { probability, strikes, forgotten };
}

interface Ended {
  readonly state: ReplayState;
  readonly replayer: Replayer;
  readonly recording: Recording;
  readonly census: Census;
  readonly seed: number;
  readonly without: readonly (keyof Optimisations)[];
  readonly stopped: string | null;
  readonly real: number | null;
}

function makeReport(ended: Ended): ReplayReport {
  const { state, replayer, recording, census, real } = ended;
  const { machine, placement, findings } = state;
  const { references } = replayer;
  const { exp } = machine.uvm;
  const { port } = machine.md;
  const { peaks } = census;
  const total = (count: (stats: Machine['md']['mmus'][number]['stats']) => number): number =>
    machine.md.mmus.reduce((sum, { stats }) => sum + count(stats), 0);
  const lookups = total((stats) => stats.lookups);
  const misses = total((stats) => stats.misses);
  let calls = 0;
  for (const count of recording.calls.values()) calls += count;
  const perSecond = (count: number): number | null =>
    real === null || real <= 0 ? null : (count * 1000) / real;
  return {
    recording: Object.fromEntries(recording.headers),
    arch: port.name,
    description: port.description,
    pageSize: port.layout.pageSize,
    memoryBytes: machine.memory.size,
    swapBytes: exp.swpages * port.layout.pageSize,
    seed: ended.seed,
    faultAhead: !ended.without.includes('faultAhead'),
    without: ended.without,
    policy: machine.uvm.wiring.name,
    amnesia: amnesiaOf(machine),
    ok: findings.mismatchCount === 0 && ended.stopped === null,
    stopped: ended.stopped,
    work: {
      references: references.references,
      records: references.records,
      loads: references.loads,
      stores: references.stores,
      updates: references.updates,
      fetches: references.fetches,
      kernelBytesRead: replayer.kernel.bytesRead,
      kernelBytesWritten: replayer.kernel.bytesWritten,
      processes: recording.processCount,
      calls,
      stackGrowth: ended.state.stackGrowth,
    },
    faults: {
      traps: exp.traps,
      settledByPmap: exp.traps - census.readFaults - census.writeFaults - census.fetchFaults,
      toUvmRead: census.readFaults,
      toUvmWrite: census.writeFaults,
      toUvmFetch: census.fetchFaults,
      toUvmProtect: census.protectFaults,
      wiring: census.wireFaults,
      uvmFaults: exp.faults,
      case1A: exp.flt_anon,
      case1B: exp.flt_acow,
      case2A: exp.flt_obj,
      case2BCopied: exp.flt_prcopy,
      case2BZero: exp.flt_przero,
      amapCopies: exp.fltamcopy,
      pageWaits: exp.fltpgwait,
      mapped: { neighbourAnons: exp.fltnamap, neighbourPages: exp.fltnomap },
    },
    memory: {
      cowCopies: exp.flt_acow + exp.flt_prcopy,
      zeroFilled: exp.flt_przero,
      pageins: exp.pageins,
      swappedOut: exp.pgswapout,
      swappedIn: exp.pgswapin,
      reclaimed: exp.pdfreed,
      transfers: census.transfers,
      peakResidentBytes: peaks.residentBytes,
      peakTableBytes: peaks.tableBytes,
      peakMapEntries: peaks.mapEntries,
      peakAmaps: peaks.amaps,
      peakProcesses: peaks.processes,
      peakUsedPages: peaks.usedPages,
      peakFixedPages: peaks.fixedPages,
      freePages: exp.free,
      managedPages: exp.npages,
    },
    mmu: {
      lookups,
      misses,
      hitRate: lookups === 0 ? 1 : 1 - misses / lookups,
      faults: total((stats) => stats.faults),
      pageFlushes: total((stats) => stats.pageFlushes),
      fullFlushes: total((stats) => stats.fullFlushes),
      shootdowns: census.shootdowns,
      steals: census.steals,
    },
    time: {
      virtual: machine.now,
      real,
      recordsPerSecond: perSecond(references.records),
      referencesPerSecond: perSecond(references.references),
    },
    layout: {
      bytesPerRecordedPage: placement.unit,
      spread: placement.spread,
      moved: placement.moved,
    },
    differences: Object.fromEntries(findings.differences),
    unsupported: Object.fromEntries(findings.unsupported),
    mismatchCount: findings.mismatchCount,
    mismatches: findings.mismatches,
  };
}
