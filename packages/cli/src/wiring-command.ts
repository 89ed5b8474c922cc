import {
  explainScenario,
  runWiring,
  type Scenario,
  scenarios,
  wiringPolicies,
  type WiringReport,
} from '@uvmkit/conformance';
import { Presets, SingleBar } from 'cli-progress';
import type { Command } from 'commander';
import type { WiringPolicy } from '@uvmkit/uvm-core';
import { architectureNames, portsOf } from './architectures.ts';
import { InputError } from './input-error.ts';
import type { Io } from './io.ts';
import { lockingRecording } from './recordings.ts';
import { isTerminal } from './terminal.ts';
import { measureCosts, renderCosts } from './wiring-costs.ts';
import { renderExplanation } from './wiring-story.ts';
import { renderMatrix } from './wiring-text.ts';

/** What `uvmkit wiring` and its parts may be told, as parsed. */
interface WiringFlags {
  readonly arch: string;
  readonly policy: string;
  readonly scenario: string;
  readonly json: boolean;
}

/** `uvmkit wiring explain`, as parsed. */
interface OneFlags {
  readonly arch: string;
  readonly policy: string;
}

/** `uvmkit wiring costs`, as parsed. */
interface CostsFlags extends OneFlags {
  readonly recording?: string;
  readonly json: boolean;
}

const POLICY_LIST = wiringPolicies.map(({ name }) => name).join(',');

const COMMAND_HELP = `
A cell tells what became of a scenario: fine, message (the kernel complained), count (a count is off), lost (a lock or its
memory, without a word), panic, - (the MMU cannot be asked). One policy alone is told MMU by MMU.
Exit code: 0 if every cell is what was expected, 1 if one is not, 2 if the command line cannot be used.`;

/** Adds `uvmkit wiring`. */
export function addWiringCommand(program: Command, io: Io, exit: (code: number) => void): void {
  const wiring = program
    .command('wiring')
    .description('what becomes of locked memory: scenarios × wiring policies × MMUs')
    .enablePositionalOptions()
    .option('--arch <list>', `all, or some of ${architectureNames().join(',')}`, 'all')
    .option('--policy <list>', `all, or some of ${POLICY_LIST}`, 'all')
    .option('--scenario <list>', 'all, or some by their names', 'all')
    .option('--json', 'report as JSON', false)
    .addHelpText('after', COMMAND_HELP);
  wiring.action((flags: WiringFlags) => exit(matrixCommand(flags, io)));
  wiring
    .command('explain')
    .description('tell one scenario event by event')
    .argument('<scenario>', scenarios.map(({ id }) => id).join(', '))
    .option('--arch <name>', `one of ${architectureNames().join(',')}`, 'i386')
    .option('--policy <name>', `one of ${POLICY_LIST}`, 'wire')
    .action((scenario: string, flags: OneFlags) => exit(explainCommand(scenario, flags, io)));
  wiring
    .command('costs')
    .description('what each policy costs over the scenarios and over a recorded program')
    .option('--arch <name>', `one of ${architectureNames().join(',')}`, 'i386')
    .option('--policy <list>', `all, or some of ${POLICY_LIST}`, 'all')
    .option('--recording <file>', 'a recording ("vmtrace 1"); one that locks memory comes along')
    .option('--json', 'report as JSON', false)
    .action(async (flags: CostsFlags) => exit(await costsCommand(flags, io)));
}

/** Measures, and reports on standard output; the exit code. */
async function costsCommand(flags: CostsFlags, io: Io): Promise<number> {
  const { arch, policy, recording = lockingRecording(), json } = flags;
  const port = only('--arch', arch, portsOf(arch));
  const report = await measureCosts(port, policiesOf(policy), recording, io);
  io.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : renderCosts(report, io.colors));
  return 0;
}

/** Tells one scenario; the exit code. */
function explainCommand(scenario: string, { arch, policy }: OneFlags, io: Io): number {
  const port = only('--arch', arch, portsOf(arch));
  const explanation = explainScenario(
    only('scenario', scenario, scenariosOf(scenario, 'scenario')),
    only('--policy', policy, policiesOf(policy)),
    port,
  );
  io.stdout.write(renderExplanation(explanation, io.colors));
  return explanation.cell.ok ? 0 : 1;
}

/** Runs the matrix and reports on standard output; the exit code. */
function matrixCommand({ arch, policy, scenario, json }: WiringFlags, io: Io): number {
  const ports = portsOf(arch);
  const bar = isTerminal(io.stderr) ? barOn(io.stderr) : null;
  let done = 0;
  bar?.start(1, 0);
  const report = runWiring({
    ports,
    policies: policiesOf(policy),
    scenarios: scenariosOf(scenario),
    progress: (_, total) => {
      bar?.setTotal(total);
      bar?.update(++done);
    },
  });
  bar?.stop();
  io.stdout.write(json ? renderJson(report) : renderMatrix(report, io.colors));
  return report.ok ? 0 : 1;
}

function barOn(stream: NodeJS.WriteStream): SingleBar {
  const format = 'scenarios [{bar}] {value} of {total}';
  return new SingleBar({ stream, format, hideCursor: true, clearOnComplete: true }, Presets.legacy);
}

function renderJson(report: WiringReport): string {
  const { ok, archs, policies, counts, differing, cells } = report;
  const told = report.scenarios.map(({ id, title, sentence, source }) => ({
    id,
    title,
    sentence,
    source,
  }));
  const whole = { ok, archs, policies, counts, differing, scenarios: told, cells };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

/**
 * The policies that a list names: `all`, or names with commas between them.
 *
 * @throws InputError for a name that is not known
 */
function policiesOf(list: string): WiringPolicy[] {
  const known = new Map(wiringPolicies.map((policy) => [policy.name, policy]));
  return named('--policy', list, known);
}

/** Likewise, scenarios. */
function scenariosOf(list: string, option = '--scenario'): Scenario[] {
  const known = new Map(scenarios.map((scenario) => [scenario.id, scenario]));
  return named(option, list, known);
}

function named<T>(option: string, list: string, known: ReadonlyMap<string, T>): T[] {
  if (list === 'all') return [...known.values()];
  const names = new Set(list.split(',').map((name) => name.trim()));
  return [...names].map((name) => {
    const found = known.get(name);
    if (found === undefined)
      throw new InputError(
        `${option}: expected all or some of ${[...known.keys()].join(', ')}, found "${name}"`,
      );
    return found;
  });
}

/** The one thing that was asked for. */
function only<T>(option: string, text: string, found: readonly T[]): T {
  const [first, ...others] = found;
  if (first === undefined || others.length > 0)
    throw new InputError(`${option}: expected one name, found "${text}"`);
  return first;
}
