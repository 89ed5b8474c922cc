import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { pathToFileURL } from 'node:url';
import * as machines from '@uvmkit/machine';
import * as interfaces from '@uvmkit/pmap';
import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { ibm4xx, oea } from '@uvmkit/pmap-powerpc';
import { srmmu, sun4c } from '@uvmkit/pmap-sparc';
import * as uvm from '@uvmkit/uvm-core';
import type { Command } from 'commander';
import { architectureNames, portsOf } from './architectures.ts';
import { demoMachine } from './ddb-command-demo.ts';
import { InputError } from './input-error.ts';
import type { Io } from './io.ts';
import { isTerminal } from './terminal.ts';
import { reason } from './recordings.ts';

/** `uvmkit ddb`, as parsed. */
export interface DdbFlags {
  readonly arch: string;
  readonly execute?: readonly string[];
}

/** What the debugger reads commands from, if none are given: a terminal, a pipe or a file. */
type Input = NodeJS.ReadableStream & { readonly isTTY?: boolean };

const PROMPT = 'db> ';
/** Exit codes: every command could be executed; one could not. */
const EXECUTED = 0;
const NOT_EXECUTED = 2;

/** Makes `ddb` one of the program's commands. */
export function addDdbCommand(program: Command, io: Io, exit: (code: number) => void): void {
  program
    .command('ddb')
    .description('look into a machine with the kernel debugger, and run it to breaks on events')
    .argument(
      '[file]',
      'an ES module with a machine as its default export or its export "machine", or a function that makes one of ' +
        '{ Machine, port, i386, … }; a small demo machine if none is given',
    )
    .option(
      '--arch <name>',
      `the port of the demo machine, and what a function in a file gets as port: ${architectureNames().join(', ')}`,
      'i386',
    )
    .option(
      '-e, --execute <command>',
      'execute a command instead of asking for them; may be given more than once',
      (command: string, before: readonly string[] | undefined) => [...(before ?? []), command],
    )
    .addHelpText(
      'after',
      `
Commands come from the terminal, with completion and history, or a line at a time from standard input.
The command "help" lists them.

  uvmkit ddb -e ps -e 'show map /f 1'
  uvmkit ddb machine.mjs -e 'break uvm.fault when va >= 0x1000' -e continue -e trace

Exit code: 0 if every command could be executed, 2 if one could not or there is no machine.`,
    )
    .action(async (file: string | undefined, flags: DdbFlags) =>
      exit(await ddbCommand(file, flags, io, process.stdin)),
    );
}

/**
 * Executes the commands given, or else those that are typed or piped in, on a machine.
 *
 * @returns the exit code
 * @throws InputError if there is no machine in the file
 */
export async function ddbCommand(
  file: string | undefined,
  flags: DdbFlags,
  io: Io,
  input: Input,
): Promise<number> {
  const ports = portsOf(flags.arch);
  if (ports.length !== 1)
    throw new InputError(
      `--arch: expected one of ${architectureNames().join(', ')}, found "${flags.arch}"`,
    );
  const port = ports[0]!;
  const machine = file === undefined ? demoMachine(port) : await machineOf(file, port);
  const ddb = new machines.Ddb(machine);
  try {
    if (flags.execute !== undefined) return await executeAll(ddb, flags.execute, io);
    if (input.isTTY === true && isTerminal(io.stdout)) return await converse(ddb, input, io.stdout);
    return await executeAll(ddb, createInterface({ input, crlfDelay: Infinity }), io);
  } finally {
    ddb.close();
  }
}

/** Executes one command after the other; what cannot be executed is told on standard error. */
async function executeAll(
  ddb: machines.Ddb,
  commands: Iterable<string> | AsyncIterable<string>,
  io: Io,
): Promise<number> {
  let code = EXECUTED;
  for await (const command of commands) {
    const text = ddb
      .execute(command)
      .map((line) => `${line}\n`)
      .join('');
    if (ddb.failed) {
      io.stderr.write(`uvmkit: ${text}`);
      code = NOT_EXECUTED;
    } else io.stdout.write(text);
  }
  return code;
}

/** Asks for commands on a terminal until the user has had enough. */
async function converse(
  ddb: machines.Ddb,
  input: Input,
  output: NodeJS.WriteStream,
): Promise<number> {
  const lines = createInterface({
    input,
    output,
    terminal: true,
    prompt: PROMPT,
    removeHistoryDuplicates: true,
    completer: (line: string): [string[], string] => {
      const last = /\S*$/.exec(line)![0];
      return [ddb.complete(line).map((word) => `${word} `), last];
    },
  });
  lines.on('SIGINT', () => {
    // Control-C drops the line, as in a shell.
    output.write('^C\n');
    lines.write(null, { ctrl: true, name: 'e' });
    lines.write(null, { ctrl: true, name: 'u' });
    lines.prompt();
  });
  output.write('"help" lists the commands, control-D leaves, an empty line repeats x and step\n');
  lines.prompt();
  let again = '';
  for await (const line of lines) {
    const command = line.trim() === '' ? again : line;
    again = /^\s*(?:x(?:\/\S*)?|step)(?=\s|$)/.exec(command)?.[0] ?? '';
    for (const text of ddb.execute(command)) output.write(`${text}\n`);
    lines.prompt();
  }
  output.write('\n');
  return EXECUTED;
}

/** The machine that a module has or makes. */
async function machineOf(file: string, port: interfaces.Port): Promise<machines.Machine> {
  const path = resolve(file);
  const about = await stat(path).catch((error: unknown) => {
    throw new InputError(`${file}: ${reason(error)}`);
  });
  if (!about.isFile()) throw new InputError(`${file}: expected a file, found something else`);
  const found = await tried(file, 'a module that can be loaded', async () => {
    const module = (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>;
    return module['default'] ?? module['machine'];
  });
  const made =
    typeof found === 'function'
      ? await tried(
          file,
          'a function that makes a machine',
          async () => (await found(kit(port))) as unknown,
        )
      : found;
  if (isMachine(made)) return made;
  throw new InputError(
    `${file}: expected a Machine, or a function that makes one, as the default export or the export "machine", ` +
      `found ${made === null || made === undefined ? 'none' : typeof made}`,
  );
}

/** What a function in a file is given: everything that the packages below export, and the port that --arch chose. */
function kit(port: interfaces.Port): Readonly<Record<string, unknown>> {
  return { ...interfaces, ...uvm, ...machines, i386, alpha, sun4c, srmmu, oea, ibm4xx, port };
}

/** Whatever goes wrong in the user's file is bad input. */
async function tried<T>(file: string, wanted: string, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    throw new InputError(`${file}: expected ${wanted}, found ${String(error)}`);
  }
}

/** A machine may have been made by another copy of the package than this one. */
function isMachine(value: unknown): value is machines.Machine {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['uvm', 'md', 'events', 'processes', 'turn'].every((name) => name in value)
  );
}
