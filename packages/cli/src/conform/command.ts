import { chosenCases, type KitCase, type Layer, LAYERS } from '@uvmkit/conformance';
import { Presets, SingleBar } from 'cli-progress';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { architectureNames, portsOf } from '../architectures.ts';
import { InputError } from '../input-error.ts';
import type { Io } from '../io.ts';
import { reason } from '../recordings.ts';
import { isTerminal } from '../terminal.ts';
import { wholeNumber } from '../values.ts';
import { renderJunit } from './junit.ts';
import { renderMarkdown } from './markdown.ts';
import { CasePool, type Ended } from './pool.ts';
import { recordingCases } from './recording-cases.ts';
import { type ConformReport, reportOf } from './report.ts';
import type { CaseReport, ConformTask, Subject } from './task.ts';
import { renderText } from './text.ts';

/** `uvmkit conform`, as parsed. */
export interface ConformFlags {
  readonly arch?: string;
  readonly port?: string;
  readonly layer?: readonly Layer[];
  readonly filter?: string;
  readonly seed: number;
  readonly effort: number;
  /** Seconds that a case may take. */
  readonly limit: number;
  readonly junit?: string;
  readonly markdown?: string;
  readonly json?: string;
}

/** The most random sequences that can be asked for, as a factor. */
const MOST_EFFORT = 100;
/** Sequences to begin with, by default: the usual run of the kit. */
const EFFORT = 1;
const LIMIT = 120;

const COMMAND_HELP = `
A cell tells ok, FAIL, differs (as documented), declines (the contract leaves it to the port), n/a (the port lacks what it is about).
A port of one's own is a module that exports it as port or as its default, or a function that makes it; and, if there are any, ports
of the same MMU with few resources as scarce = { word: port }, and its MMU by the manual as format, an MmuFormat of @uvmkit/pmap, without
which layer mmu says nothing of it.
Exit code: 0 if no case failed, 1 if one did, 2 if the command line or the module cannot be used.`;

/** What is told of a case everywhere. */
type Told = Pick<KitCase, 'id' | 'sentence' | 'layer' | 'level' | 'clauses'>;

/** Adds `uvmkit conform`. */
export function addConformCommand(program: Command, io: Io, exit: (code: number) => void): void {
  program
    .command('conform')
    .description('judge ports by the contract between UVM and a pmap, case by case')
    .option(
      '--arch <list>',
      `all (the six of 2001), or some of ${architectureNames().join(',')} (default: all)`,
    )
    .option('--port <file>', "a module with a port of one's own")
    .option('--layer <list>', `some of ${LAYERS.join(',')} (default: all)`, layersOf)
    .option('--filter <text>', 'cases with this in their id or sentence')
    .option('--seed <number>', 'of every random choice', wholeNumber(2 ** 31 - 1), 2001)
    .option('--effort <factor>', 'how many random sequences, as a factor', effortOf, EFFORT)
    .addOption(
      new Option('--limit <seconds>', 'that one case may take')
        .argParser(wholeNumber(86_400))
        .default(LIMIT),
    )
    .option('--junit <file>', 'report for build servers')
    .option('--markdown <file>', 'report for people')
    .option('--json <file>', 'report for programs')
    .addHelpText('after', COMMAND_HELP)
    .action(async (flags: ConformFlags) => exit(await conformCommand(flags, io)));
}

function layersOf(text: string): Layer[] {
  return text.split(',').map((word) => {
    const layer = LAYERS.find((each) => each === word.trim());
    if (layer === undefined)
      throw new InvalidArgumentError(`Expected some of ${LAYERS.join(', ')}, found "${word}".`);
    return layer;
  });
}

function effortOf(text: string): number {
  const effort = Number(text);
  if (text.trim() === '' || !(effort > 0) || effort > MOST_EFFORT)
    throw new InvalidArgumentError(
      `Expected a number above 0, at most ${MOST_EFFORT}, found "${text}".`,
    );
  return effort;
}

/**
 * Runs the cases in workers, and reports.
 *
 * @param worker the worker's module; the one beside this if not given
 * @returns the exit code: 0 if no case failed, 1 if one did
 * @throws InputError for a port or a command line that cannot be used
 */
export async function conformCommand(
  flags: ConformFlags,
  io: Io,
  worker?: string,
): Promise<number> {
  const subjects = subjectsOf(flags);
  const cases = casesOf(flags);
  const pool = new CasePool({
    limit: flags.limit * 1000,
    ...(worker === undefined ? {} : { worker }),
  });
  try {
    const report = await conform(flags, subjects, cases, pool, io);
    if (flags.junit !== undefined) await write(flags.junit, renderJunit(report));
    if (flags.markdown !== undefined) await write(flags.markdown, renderMarkdown(report));
    if (flags.json !== undefined) await write(flags.json, `${JSON.stringify(report, null, 2)}\n`);
    io.stdout.write(renderText(report, io.colors));
    return report.ok ? 0 : 1;
  } finally {
    await pool.close();
  }
}

async function conform(
  { seed, effort }: ConformFlags,
  subjects: readonly Subject[],
  cases: readonly Told[],
  pool: CasePool,
  io: Io,
): Promise<ConformReport> {
  const archs = new Map<Subject, string>();
  for (const subject of subjects)
    archs.set(subject, await introduced(pool, { subject, id: null, seed, effort }));
  const tasks = subjects.flatMap((subject) =>
    cases.map(({ id }): ConformTask => ({ subject, id, seed, effort })),
  );
  const bar = isTerminal(io.stderr) ? barOn(io.stderr) : null;
  bar?.start(tasks.length, 0, { what: '' });
  const reports = new Map<ConformTask, CaseReport>();
  await pool.runAll(tasks, (task, ended) => {
    const each = cases.find(({ id }) => id === task.id)!;
    const arch = archs.get(task.subject)!;
    reports.set(task, reportOn(each, arch, ended, pool.limit));
    bar?.update(reports.size, { what: `${arch} ${task.id}` });
  });
  bar?.stop();
  return reportOf(
    [...archs.values()],
    tasks.map((task) => reports.get(task)!),
    { seed, effort },
  );
}

/** The name of a subject's port. */
async function introduced(pool: CasePool, task: ConformTask): Promise<string> {
  const ended = await pool.run(task);
  const what = 'arch' in task.subject ? task.subject.arch : task.subject.file;
  if ('lost' in ended) throw new InputError(`${what}: cannot be loaded: ${ended.lost}`);
  const { answer } = ended;
  if ('unusable' in answer) throw new InputError(answer.unusable);
  if (!('introduction' in answer))
    throw new TypeError('a worker that was asked for a name answered a case');
  return answer.introduction.arch;
}

/** What became of a case; a worker that was lost is the port's failure. */
function reportOn(each: Told, arch: string, ended: Ended, limit: number): CaseReport {
  if ('answer' in ended && 'report' in ended.answer) return ended.answer.report;
  const { id, sentence, layer, level, clauses } = each;
  const reason =
    'lost' in ended ? ended.lost : 'unusable' in ended.answer ? ended.answer.unusable : '';
  return {
    id,
    sentence,
    layer,
    level,
    clauses,
    arch,
    verdict: 'failed',
    reason,
    script: [],
    ms: limit,
  };
}

function subjectsOf({ arch, port }: ConformFlags): Subject[] {
  if (port !== undefined && arch !== undefined)
    throw new InputError('expected either --arch or --port, found both');
  if (port !== undefined) return [{ file: resolve(port) }];
  return portsOf(arch ?? 'all').map(({ name }) => ({ arch: name }));
}

function casesOf({ layer, filter }: ConformFlags): Told[] {
  const options = {
    ...(layer === undefined ? {} : { layers: layer }),
    ...(filter === undefined ? {} : { filter }),
  };
  const word = (filter ?? '').toLowerCase();
  const recorded = recordingCases.filter(
    ({ id, sentence }) =>
      (layer === undefined || layer.includes('uvm')) &&
      (id.toLowerCase().includes(word) || sentence.toLowerCase().includes(word)),
  );
  const chosen = [...chosenCases(options), ...recorded];
  if (chosen.length === 0)
    throw new InputError(`--filter: no case has "${filter}" in its id or sentence`);
  return chosen;
}

function barOn(stream: NodeJS.WriteStream): SingleBar {
  const format = '[{bar}] {value} of {total} cases, {eta_formatted} left  {what}';
  return new SingleBar(
    { stream, format, hideCursor: true, clearOnComplete: true, linewrap: false },
    Presets.legacy,
  );
}

async function write(path: string, text: string): Promise<void> {
  await writeFile(path, text).catch((error: unknown) => {
    throw new InputError(`${path}: ${reason(error)}`);
  });
}
