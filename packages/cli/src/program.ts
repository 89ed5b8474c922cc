import { readFileSync } from 'node:fs';
import { PlacementError, TraceError } from '@uvmkit/replay';
import { Command, CommanderError } from 'commander';
import { architectureNames } from './architectures.ts';
import { addConformCommand } from './conform/command.ts';
import { convertCommand, type ConvertFlags } from './convert-command.ts';
import { addDdbCommand } from './ddb-command.ts';
import { InputError } from './input-error.ts';
import type { Io } from './io.ts';
import { addMemoryOptions } from './policies.ts';
import { replayCommand, type ReplayFlags } from './replay-command.ts';
import { addRowsCommand } from './rows-command.ts';
import {
  divisors,
  memorySize,
  optimisationNames,
  optimisationsOff,
  wholeNumber,
} from './values.ts';
import { addWiringCommand } from './wiring-command.ts';

/** Exit codes: every check held; some did not; the input or the command line cannot be used. */
export const EXIT_OK = 0;
export const EXIT_MISMATCH = 1;
export const EXIT_INPUT = 2;

/** The widest window that references may be merged in. */
const WIDEST = 4096;

/**
 * Runs the command.
 *
 * @param args what follows the command's name
 * @returns the exit code
 */
export async function run(args: readonly string[], io: Io): Promise<number> {
  let code = EXIT_OK;
  const program = makeProgram(io, (result) => (code = result));
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_INPUT;
    if (
      !(
        error instanceof InputError ||
        error instanceof TraceError ||
        error instanceof PlacementError
      )
    )
      throw error;
    io.stderr.write(`uvmkit: ${error.message}\n`);
    return EXIT_INPUT;
  }
  return code;
}

function makeProgram(io: Io, exit: (code: number) => void): Command {
  const manifest = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  ) as { description: string; version: string };
  const program = new Command('uvmkit')
    .description(manifest.description)
    .version(manifest.version)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    });
  const window = wholeNumber(WIDEST);
  addMemoryOptions(program.command('replay', { isDefault: true }))
    .description('replay recorded programs on UVM and check every byte that they read')
    .argument(
      '[files...]',
      'recordings ("vmtrace 1", gzip or plain); a small one that comes along if none is given',
    )
    .option(
      '--arch <list>',
      `all (the six of 2001), or some of ${architectureNames().join(',')} (default: i386; all without a file)`,
    )
    .option(
      '--memory <size>',
      'RAM, such as 64M (default: 64M, more where pages are spread)',
      memorySize,
    )
    .option('--swap <size>', 'a disk to swap to, such as 64M (default: none)', memorySize)
    .option(
      '--pressure <list>',
      'memory cut to these fractions of the working set, such as 2,4,8, with swap for all of it; each is measured first',
      divisors,
    )
    .option('--seed <number>', 'seed of the machine', wholeNumber(2 ** 32 - 1), 1)
    .option('--no-fault-ahead', 'faults map no neighbours')
    .option(
      '--without <list>',
      `do without what only makes things faster: all, or some of ${optimisationNames().join(',')}`,
      optimisationsOff,
    )
    .option('--json', 'report as JSON: an array with an object for each replay', false)
    .option('--all <folder>', 'every recording in a folder; one line for each')
    .option('--maps <file>', 'the file is a raw valgrind log, and this is what valgrind -d printed')
    .option(
      '--window <pages>',
      'merge references of a raw log within windows of so many pages',
      window,
      0,
    )
    .option(
      '--count-unmapped',
      'count references to unmapped pages instead of taking them for bad input',
      false,
    )
    .option(
      '--hazards',
      'make calls that lead the kernel of 2001 into a panic as they stand',
      false,
    )
    .addHelpText(
      'after',
      '\nExit code: 0 if every check held, 1 if one did not, 2 if the input cannot be used.',
    )
    .action(async (files: string[], flags: ReplayFlags) =>
      exit(await replayCommand(files, flags, io)),
    );
  program
    .command('convert')
    .description('turn a raw valgrind log into a page-level recording')
    .argument(
      '<log>',
      'what valgrind --tool=lackey --trace-mem=yes --trace-syscalls=yes wrote, gzip or plain',
    )
    .argument('<out>', 'the recording to make, compressed if its name ends in .gz')
    .requiredOption('--maps <file>', 'what valgrind -d printed')
    .option('--window <pages>', 'merge references within windows of so many pages', window, 0)
    .action(async (log: string, out: string, flags: ConvertFlags) =>
      exit(await convertCommand(log, out, flags)),
    );
  addRowsCommand(program, io, exit);
  addWiringCommand(program, io, exit);
  addConformCommand(program, io, exit);
  addDdbCommand(program, io, exit);
  return program;
}
