import type { Machine } from '../machine.ts';
import { anyOf, Arguments, DdbError, quoted } from './arguments.ts';
import type { Command } from './command.ts';
import { breakCommand, deleteCommand, showBreaks, showEvents, trace } from './debug-commands.ts';
import { examine, print, proc } from './examine.ts';
import { continueCommand, step } from './run.ts';
import { Session } from './session.ts';
import { showAmap, showAnon } from './show-amap.ts';
import { showMap } from './show-map.ts';
import { showObject } from './show-object.ts';
import { showPage } from './show-page.ts';
import { showPmap } from './show-pmap.ts';
import { ps, showAllProcs } from './show-procs.ts';
import { showSwap } from './show-swap.ts';
import { showUvmexp } from './show-uvmexp.ts';

const help: Command = {
  name: 'help',
  usage: '[COMMAND]',
  summary: 'the commands, or one of them',
  run(_session, args) {
    const about = args.rest();
    return about === ''
      ? [...COMMANDS.flatMap(helpLines), ...HELP]
      : matching(about.split(' ')).flatMap(helpLines);
  },
  complete: (_session, before) => nextWords(before),
};

const COMMANDS: readonly Command[] = [
  showMap,
  showAmap,
  showAnon,
  showObject,
  showPage,
  showPmap,
  showUvmexp,
  showSwap,
  showAllProcs,
  ps,
  breakCommand,
  showBreaks,
  showEvents,
  deleteCommand,
  continueCommand,
  step,
  trace,
  proc,
  print,
  examine,
  help,
];

const HELP: readonly string[] = [
  'Numbers are decimal, or hexadecimal after 0x. Words may be cut short: "sh uvm", "c".',
];

/**
 * The kernel debugger, after ddb(4): a line in, lines out. It looks at a machine and changes nothing in it, but for
 * `continue` and `step`, which turn its clock.
 *
 * While it is there the machine's events are watched, which slows the machine; {@link close} ends that.
 */
export class Ddb {
  readonly #session: Session;
  readonly #unwatch: () => void;
  #failed = false;

  constructor(machine: Machine) {
    this.#session = new Session(machine);
    this.#unwatch = machine.events.watch(this.#session.listen);
  }

  /** Whether the last line could not be executed. */
  get failed(): boolean {
    return this.#failed;
  }

  /**
   * Executes a command.
   *
   * @returns what it prints, without line ends; one line saying what was wanted and what was given if it is none
   */
  execute(line: string): string[] {
    this.#failed = false;
    try {
      const { words, modifiers } = wordsOf(line);
      if (words.length === 0 && modifiers === '') return [];
      const { command, rest } = resolve(words);
      checkModifiers(command, modifiers);
      return command.run(this.#session, new Arguments(command.name, modifiers, rest));
    } catch (error) {
      if (!(error instanceof DdbError)) throw error;
      this.#failed = true;
      return [error.message];
    }
  }

  /** What the last word of a line that is being typed can become; after a blank, what can follow. */
  complete(prefix: string): string[] {
    const last = /\S*$/.exec(prefix)![0];
    const { words } = wordsOf(prefix.slice(0, prefix.length - last.length));
    return this.#candidates(words, last).filter((word) => word.startsWith(last));
  }

  #candidates(words: readonly string[], last: string): readonly string[] {
    const next = nextWords(words);
    if (next.length > 0) return next;
    try {
      const { command, rest } = resolve(words);
      const letters = command.modifiers === 'any' ? '' : (command.modifiers ?? '');
      if (last.startsWith('/')) return [...letters].map((letter) => `/${letter}`);
      return command.complete?.(this.#session, rest) ?? [];
    } catch (error) {
      if (!(error instanceof DdbError)) throw error;
      return [];
    }
  }

  /** Stops watching the machine; commands still work, but breaks are not hit and nothing is traced. */
  close(): void {
    this.#unwatch();
  }
}

/** A line's words; a slash begins modifiers, alone or at a word's end. */
function wordsOf(line: string): { readonly words: readonly string[]; readonly modifiers: string } {
  let modifiers = '';
  const plain = line.replaceAll(/\/([^\s,]*)/g, (_, letters: string) => {
    modifiers += letters;
    return ' ';
  });
  return { words: plain.split(/[\s,]+/).filter((word) => word !== ''), modifiers };
}

/** The command that a line begins with; its words may be cut short as long as they are one command's alone. */
function resolve(words: readonly string[]): {
  readonly command: Command;
  readonly rest: readonly string[];
} {
  let found = COMMANDS;
  for (let at = 0; ; at++) {
    const said = at === 0 ? '' : `${words.slice(0, at).join(' ')}: `;
    const word = words[at];
    const choices = anyOf(wordsAt(found, at));
    if (word === undefined) throw new DdbError(`${said}expected ${choices}, found nothing`);
    found = narrowed(found, word, at);
    const meant = wordsAt(found, at);
    if (meant.length !== 1) {
      const wanted = meant.length === 0 ? choices : `one of ${anyOf(meant)}`;
      throw new DdbError(`${said}expected ${wanted}, found ${quoted(word)}`);
    }
    const [command] = found;
    if (found.length === 1 && command!.name.split(' ').length === at + 1)
      return { command: command!, rest: words.slice(at + 1) };
  }
}

/** The commands whose word at `at` is the given one, or else begins with it. */
function narrowed(commands: readonly Command[], word: string, at: number): readonly Command[] {
  const exact = commands.filter(({ name }) => name.split(' ')[at] === word);
  return exact.length > 0
    ? exact
    : commands.filter(({ name }) => name.split(' ')[at]?.startsWith(word) === true);
}

/** The commands that begin with the words given, each of them whole or cut short. */
function matching(words: readonly string[]): readonly Command[] {
  let found = COMMANDS;
  words.forEach((word, at) => (found = narrowed(found, word, at)));
  if (found.length === 0)
    throw new DdbError(
      `help: expected ${anyOf(wordsAt(COMMANDS, 0))}, found ${quoted(words.join(' '))}`,
    );
  return found;
}

function wordsAt(commands: readonly Command[], at: number): string[] {
  return [...new Set(commands.flatMap(({ name }) => name.split(' ')[at] ?? []))];
}

/** The words of commands that can follow the ones given; none once they name a command. */
function nextWords(words: readonly string[]): readonly string[] {
  let found = COMMANDS;
  words.forEach((word, at) => (found = narrowed(found, word, at)));
  return wordsAt(found, words.length);
}

function checkModifiers(command: Command, modifiers: string): void {
  const { name, modifiers: taken = '' } = command;
  if (modifiers === '' || taken === 'any' || modifiers === taken) return;
  const wanted = taken === '' ? 'no modifiers' : `/${taken} or no modifiers`;
  throw new DdbError(`${name}: expected ${wanted}, found ${quoted(`/${modifiers}`)}`);
}

function helpLines({ name, usage, summary }: Command): string[] {
  return [`${name} ${usage}`.trimEnd(), `    ${summary}`];
}
