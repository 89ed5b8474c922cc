import { KernelPanic } from '@uvmkit/pmap';
import { breakText } from './breaks.ts';
import type { Command } from './command.ts';
import type { Session } from './session.ts';

/** Turns of the clock after which `continue` asks again: a machine may run for ever. */
const MOST_TURNS = 1_000_000;
/** Events that `step` lists at most. */
const MOST_EVENTS = 100;

export const continueCommand: Command = {
  name: 'continue',
  usage: '[TURNS]',
  summary: `run until a break is hit, nothing is left to run, or so many turns are over (${MOST_TURNS})`,
  run(session, args) {
    const turns = args.count('a number of turns', MOST_TURNS, MOST_TURNS);
    args.end();
    return (
      run(session, turns) ?? [`still running after ${turns} turns, at ${session.machine.now} ns`]
    );
  },
};

export const step: Command = {
  name: 'step',
  usage: '[TURNS]',
  summary: 'run for one turn of the clock, or so many, and list what happened',
  run(session, args) {
    const turns = args.count('a number of turns', MOST_TURNS, 1);
    args.end();
    const { log } = session;
    const before = log.count;
    const stopped = run(session, turns) ?? [`at ${session.machine.now} ns`];
    const happened = log.count - before;
    const listed = log.last(Math.min(happened, MOST_EVENTS));
    const hidden = happened - listed.length;
    return [...(hidden > 0 ? [`${hidden} events before these`] : []), ...listed, ...stopped];
  },
};

/**
 * Turns the clock. A break ends it with the turn in which it was hit: a turn is what a thread does until it sleeps or is
 * preempted, and nothing can hold it in between.
 *
 * @returns why it ended before the turns were over, or null
 */
function run(session: Session, turns: number): string[] | null {
  const { machine, breaks, log } = session;
  if (machine.panic !== null) return [`the machine has stopped: ${machine.panic.message}`];
  breaks.hit = null;
  session.running = true;
  try {
    for (let turn = 0; turn < turns; turn++) {
      const ran = machine.turn();
      if (breaks.hit !== null) return hitLines(session);
      if (!ran) return [`nothing is left to run at ${machine.now} ns`];
    }
    return null;
  } catch (error) {
    const what = error instanceof KernelPanic ? error.message : `a thread threw ${String(error)}`;
    return [
      ...(breaks.hit === null ? [] : hitLines(session)),
      what,
      `stopped at event #${log.count}`,
    ];
  } finally {
    session.running = false;
  }
}

function hitLines({ machine, breaks, log }: Session): string[] {
  const { breakpoint, event } = breaks.hit!;
  const later = log.count - 1 - event;
  return [
    breakText(breakpoint),
    log.text(event),
    `stopped at ${machine.now} ns, where the turn ended; events after that one: ${later}`,
  ];
}
