import type { Optimisations } from '@uvmkit/machine';
import {
  openRecording,
  type ReplayOptions,
  replayRecording,
  type ReplayReport,
  replayUnderPressure,
  type SurveyedRecording,
  TraceError,
} from '@uvmkit/replay';
import { portsOf } from './architectures.ts';
import type { Io } from './io.ts';
import { type MemoryFlags, policyOf } from './policies.ts';
import { InputError } from './input-error.ts';
import { type Progress, progressOn } from './progress.ts';
import { defaultRecording, recordingAt, recordingsIn } from './recordings.ts';
import { checksFailed } from './report-rows.ts';
import { renderReports, renderSummary } from './report-text.ts';

/** `uvmkit replay`, as parsed. */
export interface ReplayFlags extends MemoryFlags {
  readonly arch?: string;
  readonly memory?: number;
  readonly swap?: number;
  /** What memory is divided by, in one replay each. */
  readonly pressure?: readonly number[];
  readonly seed: number;
  readonly json: boolean;
  readonly faultAhead: boolean;
  /** What the machines do without, `--no-fault-ahead` apart. */
  readonly without?: Optimisations;
  readonly maps?: string;
  readonly window: number;
  readonly all?: string;
  readonly countUnmapped: boolean;
  readonly hazards: boolean;
}

/**
 * Replays recordings, each on each architecture, and reports on standard output.
 *
 * @returns the exit code: 0 if every check held, 1 if not
 * @throws InputError, TraceError, PlacementError for input that cannot be used
 */
export async function replayCommand(
  files: readonly string[],
  flags: ReplayFlags,
  io: Io,
): Promise<number> {
  const ports = portsOf(
    flags.arch ?? (files.length === 0 && flags.all === undefined ? 'all' : 'i386'),
  );
  const wiring = policyOf(flags.policy);
  const paths = await pathsOf(files, flags);
  const reports: ReplayReport[] = [];
  const progress = progressOn(io.stderr);
  for (const path of paths) {
    const raw = flags.maps === undefined ? null : { maps: flags.maps, window: flags.window };
    const opened = await openRecording(await recordingAt(path, raw)).catch((error: unknown) => {
      throw hinted(error, raw === null);
    });
    const name = opened.recording.headers.get('name') ?? path;
    for (const port of ports) {
      const options = {
        port,
        ...(flags.memory === undefined ? {} : { memory: flags.memory }),
        ...(flags.swap === undefined ? {} : { swap: flags.swap }),
        seed: flags.seed,
        ...flags.without,
        ...(flags.faultAhead ? {} : { faultAhead: false }),
        wiring,
        amnesia: flags.amnesia,
        countUnmapped: flags.countUnmapped,
        hazards: flags.hazards,
        clock: io.clock,
        progress: (records: number) => progress.update(records),
      };
      for await (const report of replays(opened, options, flags.pressure, (what, replay) =>
        shown(progress, `${name} on ${port.name}${what}`, opened.survey.records, replay),
      ))
        reports.push(report);
    }
  }
  if (flags.json) io.stdout.write(`${JSON.stringify(reports, null, 2)}\n`);
  else
    io.stdout.write(
      paths.length === 1 && (flags.pressure?.length ?? 1) === 1
        ? renderReports(reports, io.colors, io.stdout.columns || Infinity)
        : renderSummary(reports, io.colors),
    );
  return reports.every(({ ok }) => ok) ? 0 : 1;
}

/** Makes one replay, with its progress shown. */
type Show = (what: string, replay: () => Promise<ReplayReport>) => Promise<ReplayReport>;

/**
 * The replays of one recording on one architecture: one, or one for each divisor of memory. These are preceded by one with
 * plenty, which measures, and is reported only if it failed, when nothing follows.
 */
async function* replays(
  opened: SurveyedRecording,
  options: ReplayOptions,
  pressure: readonly number[] | undefined,
  show: Show,
): AsyncGenerator<ReplayReport> {
  const first = await show('', () => replayRecording(opened, options));
  if (pressure === undefined || !first.ok) {
    yield first;
    return;
  }
  for (const divisor of pressure)
    yield await show(`, 1/${divisor} of memory`, () =>
      replayUnderPressure(opened, options, first, divisor),
    );
}

async function shown(
  progress: Progress,
  title: string,
  records: number,
  replay: () => Promise<ReplayReport>,
): Promise<ReplayReport> {
  progress.start(title, records);
  let outcome = 'not finished';
  try {
    const report = await replay();
    outcome = report.ok
      ? 'every check held'
      : `${checksFailed(report)}${report.stopped === null ? '' : ', stopped'}`;
    return report;
  } finally {
    progress.stop(outcome);
  }
}

async function pathsOf(files: readonly string[], flags: ReplayFlags): Promise<string[]> {
  if (flags.pressure !== undefined && flags.memory !== undefined)
    throw new InputError('expected either --memory or --pressure, found both');
  if (flags.all !== undefined && files.length > 0)
    throw new InputError('expected either files or --all FOLDER, found both');
  if (flags.maps !== undefined && (files.length !== 1 || flags.all !== undefined))
    throw new InputError('expected one raw log with --maps');
  if (flags.maps === undefined && flags.window !== 0)
    throw new InputError(
      'expected --window with --maps only: a page-level recording has its window',
    );
  if (flags.all !== undefined) return recordingsIn(flags.all);
  return files.length === 0 ? [defaultRecording()] : [...files];
}

/** Whoever gives a raw log without its maps is told of them. */
function hinted(error: unknown, pageLevel: boolean): unknown {
  if (!(error instanceof TraceError) || !pageLevel || error.line !== 1) return error;
  return new InputError(`${error.message} (a raw valgrind log is read with --maps MAPS)`);
}
