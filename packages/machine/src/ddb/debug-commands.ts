import { type EventName, EVENTS } from '@uvmkit/pmap';
import { numbersText } from './arguments.ts';
import { breakText } from './breaks.ts';
import type { Command } from './command.ts';
import type { Session } from './session.ts';

/** Events that `trace` lists if it is not told how many. */
const SOME_EVENTS = 20;
const MOST_EVENTS = 4096;

export const breakCommand: Command = {
  name: 'break',
  usage: '[EVENT [when FIELD OPERATOR VALUE [and …]]]',
  summary: 'stop at an event, such as pmap.enter when va >= 0x1000; without one, list the breaks',
  run(session, args) {
    if (args.left === 0) return list(session);
    return [breakText(session.breaks.add(args))];
  },
  complete(_session, before) {
    if (before.length === 0) return Object.keys(EVENTS);
    if (before.length === 1) return ['when'];
    const last = before[before.length - 1];
    return last === 'when' || last === 'and' ? (EVENTS[before[0] as EventName] ?? []) : [];
  },
};

export const showBreaks: Command = {
  name: 'show breaks',
  usage: '',
  summary: 'the breaks that are set',
  run(session, args) {
    args.end();
    return list(session);
  },
};

export const deleteCommand: Command = {
  name: 'delete',
  usage: '[BREAK]',
  summary: 'take a break away, or all of them',
  run({ breaks }, args) {
    const numbers = breaks.all.map(({ number }) => number);
    if (args.left === 0) {
      for (const number of numbers) breaks.remove(number);
      return numbers.length === 0 ? ['no breaks are set'] : numbers.map(deleted);
    }
    const wanted = `the number of a break (${numbersText(numbers)})`;
    const number = args.number(wanted);
    args.end();
    if (!breaks.remove(number)) args.fail(wanted, String(number));
    return [deleted(number)];
  },
  complete: ({ breaks }, before) =>
    before.length === 0 ? breaks.all.map(({ number }) => String(number)) : [],
};

export const trace: Command = {
  name: 'trace',
  usage: '[COUNT]',
  summary: `the last events, ${SOME_EVENTS} if not told how many`,
  run({ log }, args) {
    const count = args.count('a number of events', MOST_EVENTS, SOME_EVENTS);
    args.end();
    return log.count === 0 ? ['nothing has happened yet'] : log.last(count);
  },
};

export const showEvents: Command = {
  name: 'show events',
  usage: '',
  summary: 'the kinds of events that break knows, with their fields',
  run(_session, args) {
    args.end();
    return Object.entries(EVENTS).map(([name, fields]) => `${name}: ${fields.join(' ')}`);
  },
};

function deleted(number: number): string {
  return `break ${number} deleted`;
}

function list({ breaks }: Session): string[] {
  if (breaks.all.length === 0) return ['no breaks are set'];
  return breaks.all.map((each) => `${breakText(each)}, hits=${each.hits}`);
}
