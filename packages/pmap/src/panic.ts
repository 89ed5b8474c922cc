import { ENOMEM, type Errno } from './errno.ts';
import { PMAP_CANFAIL, type EnterFlags } from './prot.ts';

/** What a panic knows: short names to numbers, texts or nothing deeper than that. */
export type PanicState = Readonly<Record<string, number | string | boolean>>;

/**
 * The kernel stopped. `words` are NetBSD's where NetBSD had a panic there, otherwise ours; `state`
 * is what led to it. It is thrown by whoever detects it, and a machine that sees one halts and keeps
 * it: nothing below the machine ever catches it.
 */
export class KernelPanic extends Error {
  override readonly name: string = 'KernelPanic';
  /** The message as the kernel would print it after `panic: `. */
  readonly words: string;
  readonly state: PanicState;

  constructor(words: string, state: PanicState = {}) {
    const fields = Object.entries(state).map(
      ([key, value]) => `${key}=${typeof value === 'number' ? formatNumber(value) : value}`,
    );
    super(fields.length === 0 ? `panic: ${words}` : `panic: ${words} (${fields.join(' ')})`);
    this.words = words;
    this.state = state;
  }
}

/**
 * What `Pmap.enter` makes of a shortage, once every count is right again.
 *
 * @param flags of the enter
 * @returns ENOMEM if they have `PMAP_CANFAIL`
 * @throws KernelPanic with these words and this state if they do not
 */
export function shortage(flags: EnterFlags, words: string, state: PanicState): Errno {
  if ((flags & PMAP_CANFAIL) !== 0) return ENOMEM;
  throw new KernelPanic(words, state);
}

function formatNumber(value: number): string {
  return Number.isInteger(value) && value >= 4096 ? `0x${value.toString(16)}` : String(value);
}
