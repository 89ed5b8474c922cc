import { hex, type Va } from '@uvmkit/pmap';
import { type Arguments, numberOf, numbersText } from './arguments.ts';
import type { Command } from './command.ts';
import { findAddress } from './find.ts';
import {
  dumpText,
  type Format,
  FORMAT_WANTED,
  formatOf,
  LINE,
  LONGEST,
  printable,
  unitTexts,
} from './format.ts';
import { locate, readBytes } from './memory.ts';
import type { Session } from './session.ts';

/** Units that one command shows. */
const MOST_UNITS = 4096;

export const examine: Command = {
  name: 'x',
  usage: '[/FORMAT] [ADDR[,COUNT]]',
  summary: `memory of the process chosen; without ADDR where the last x ended. ${FORMAT_WANTED.replace('a format:', 'FORMAT:')}`,
  modifiers: 'any',
  run(session, args) {
    const format = formatArgument(args);
    const va = args.left === 0 ? session.dot : findAddress(session, args);
    const count = args.count('a number of units', MOST_UNITS, format.count ?? 1);
    args.end();
    if (count < 1 || count > MOST_UNITS)
      throw args.error(`a number of units from 1 to ${MOST_UNITS}`, String(count));
    if (format.form === 's') return textLines(session, va, count);
    const { bytes: read, stopped } = readBytes(session, va, count * format.size);
    const bytes = read.subarray(0, read.length - (read.length % format.size));
    const lines: string[] = [];
    for (let at = 0; at < bytes.length; at += LINE)
      lines.push(`${hex(va + at)}: ${lineText(session, bytes.subarray(at, at + LINE), format)}`);
    session.dot = va + bytes.length;
    if (stopped !== null) lines.push(`${hex(va + bytes.length)}: ${stopped}`);
    return lines;
  },
};

export const print: Command = {
  name: 'print',
  usage: '[/FORMAT] ADDR',
  summary:
    'one unit of memory of the process chosen, and where it is: entry, amap, anon, object, page',
  modifiers: 'any',
  run(session, args) {
    const format = formatArgument(args);
    const va = findAddress(session, args);
    args.end();
    const { text } = locate(session, va);
    const { bytes, stopped } = readBytes(session, va, format.size);
    const value = stopped === null ? lineText(session, bytes, format) : 'not in memory';
    return [`${hex(va)}: ${value} (${text})`];
  },
};

export const proc: Command = {
  name: 'proc',
  usage: '[PID]',
  summary: 'choose whose memory x and print show (0: the kernel), or tell whose they do',
  run(session, args) {
    if (args.left > 0) {
      const pids = [0, ...session.machine.processes.keys()];
      const wanted = `the number of a process (${numbersText(pids)})`;
      const word = args.word(wanted);
      const pid = numberOf(word) ?? NaN;
      if (!pids.includes(pid)) throw args.error(wanted, word);
      args.end();
      session.chosen = pid;
    }
    const { process } = session;
    return process === null
      ? [`the kernel, map ${session.uvm.kernelMap.id}`]
      : [`process ${process.pid}, map ${process.space.map.id}`];
  },
  complete: ({ machine }, before) =>
    before.length === 0 ? ['0', ...[...machine.processes.keys()].map(String)] : [],
};

function formatArgument(args: Arguments): Format {
  return formatOf(args.modifiers) ?? args.fail(FORMAT_WANTED, `/${args.modifiers}`);
}

function lineText({ machine }: Session, bytes: Uint8Array, format: Format): string {
  if (format.form === 'm') return dumpText(bytes);
  const texts = unitTexts(bytes, format, machine.md.port.layout.littleEndian);
  return texts.join(format.form === 'c' ? '' : ' ');
}

/** Texts that end with a zero byte, one after another. */
function textLines(session: Session, start: Va, count: number): string[] {
  const lines: string[] = [];
  let va = start;
  for (let text = 0; text < count; text++) {
    const { bytes, stopped } = readBytes(session, va, LONGEST);
    const end = bytes.indexOf(0);
    const length = end < 0 ? bytes.length : end;
    if (bytes.length > 0) lines.push(`${hex(va)}: "${printable(bytes.subarray(0, length))}"`);
    va += end < 0 ? length : length + 1;
    if (end >= 0) continue;
    lines.push(`${hex(va)}: ${stopped ?? `no end within ${LONGEST} bytes`}`);
    break;
  }
  session.dot = va;
  return lines;
}
