import type { Arguments } from './arguments.ts';
import type { Session } from './session.ts';

/** One command. */
export interface Command {
  /** One word or more. */
  readonly name: string;
  /** Its arguments, for help. */
  readonly usage: string;
  /** What it does, in a line. */
  readonly summary: string;
  /** Letters that it takes behind a slash, one at a time; `any` if it looks at them itself. */
  readonly modifiers?: string;
  /** Does it; a {@link DdbError} if it cannot be done as asked. */
  readonly run: (session: Session, args: Arguments) => string[];
  /** Words that can come next behind these arguments. */
  readonly complete?: (session: Session, before: readonly string[]) => readonly string[];
}
