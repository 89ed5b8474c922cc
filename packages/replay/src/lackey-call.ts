import type { CallArgument, SystemCall } from './records.ts';

/**
 * A system call as the recorder prints it, taken apart.
 *
 *     SYSCALL[pid,tid](nr) sys_name ( args )[sync] --> Success(0x0)
 */

/** A call that has begun. */
export interface OpenCall {
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  /** As printed. */
  readonly args: readonly string[];
}

/** `name ( args )`, the text between the number and the arrow; `unknownN` where there is no name. */
export function splitCall(number: number, text: string): { name: string; args: string[] } {
  const body = text.replace(/\s+(?:clone\(v?fork\)|v?fork): process.*/s, '').trim();
  const match = body.startsWith('unimplemented')
    ? null
    : /^(\w+)(?:\[[^\]]*\])?\s*\((.*)\)/s.exec(body);
  if (match === null) return { name: `unknown${number}`, args: [] };
  return { name: match[1]!.replace(/^sys_/, ''), args: splitArguments(match[2]!) };
}

/** Splits at commas that are outside parentheses: a string argument may hold both. */
function splitArguments(text: string): string[] {
  const args: string[] = [];
  let depth = 0;
  let arg = '';
  for (const character of text) {
    if (character === '(') depth++;
    else if (character === ')') depth--;
    if (character === ',' && depth <= 0) {
      args.push(arg.trim());
      arg = '';
    } else arg += character;
  }
  if (arg.trim() !== '') args.push(arg.trim());
  return args;
}

/** Whether the call makes a process (not a thread) of its own: fork, vfork, clone without CLONE_THREAD. */
export function isFork(call: SystemCall): boolean {
  if (call.name === 'fork' || call.name === 'vfork') return true;
  const flags = call.args[0]?.value;
  return call.name === 'clone' && typeof flags === 'number' && !hasBit(flags, CLONE_THREAD);
}

/** Shares the address space and is one of the process' threads. */
export const CLONE_THREAD = 0x10000;
/** The parent waits until the child execs or exits. */
export const CLONE_VFORK = 0x4000;

/** Whether a non-negative integer has a bit below 2^31, however large it is. */
export function hasBit(value: number, bit: number): boolean {
  return Math.floor(value / bit) % 2 === 1;
}

/** The call as the recording keeps it: numbers, mmap's offset in bytes, −1 for no descriptor. */
export function finishCall(open: OpenCall, result: number | null): SystemCall {
  const args: CallArgument[] = open.args.map((arg) => {
    const match = /^(-?0x[0-9a-fA-F]+|-?\d+)(?:\((.*)\))?$/s.exec(arg);
    if (match === null) return { value: arg.replaceAll(/\s+/g, '_'), text: null };
    const token = match[1]!;
    return {
      value: token.startsWith('-') ? -Number(token.slice(1)) : Number(token),
      // The page-level form does not tell an empty string from none.
      text: match[2] === undefined || match[2] === '' ? null : match[2],
    };
  });
  let { name } = open;
  // clone's flags are hexadecimal without 0x.
  if (name === 'clone' && args.length > 0 && /^[0-9a-fA-F]+$/.test(open.args[0]!))
    args[0] = { value: Number.parseInt(open.args[0]!, 16), text: null };
  if ((name === 'mmap2' || name === 'mmap') && args.length === 6) {
    const offset = args[5]!.value;
    if (name === 'mmap2' && typeof offset === 'number')
      args[5] = { value: offset * 4096, text: null };
    name = 'mmap';
    if (args[4]!.value === 0xffffffff || args[4]!.value === 2 ** 64)
      args[4] = { value: -1, text: null };
  }
  return { name, args, result };
}
