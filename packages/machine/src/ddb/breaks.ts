import { type EventName, EVENTS, hex } from '@uvmkit/pmap';
import { anyOf, type Arguments, numberOf } from './arguments.ts';

/** How a field of an event is compared. `&`: they have a bit in common. */
const OPERATORS = {
  '==': (field: number, value: number): boolean => field === value,
  '!=': (field: number, value: number): boolean => field !== value,
  '<=': (field: number, value: number): boolean => field <= value,
  '>=': (field: number, value: number): boolean => field >= value,
  '<': (field: number, value: number): boolean => field < value,
  '>': (field: number, value: number): boolean => field > value,
  '&': (field: number, value: number): boolean => (field & value) !== 0,
} as const;
type Operator = keyof typeof OPERATORS;

interface Condition {
  readonly text: string;
  /** The field's place among the event's. */
  readonly field: number;
  readonly holds: (field: number, value: number) => boolean;
  readonly value: number;
}

/** Where the machine is to stop. */
export interface Breakpoint {
  readonly number: number;
  readonly event: EventName;
  readonly conditions: readonly Condition[];
  /** How often it was hit. */
  hits: number;
}

/** What the machine stopped for: the first break that was hit, and the number of the event. */
export interface Hit {
  readonly breakpoint: Breakpoint;
  readonly event: number;
}

/** The breaks that are set. */
export class Breaks {
  hit: Hit | null = null;
  #set: readonly Breakpoint[] = [];
  #next = 1;

  get all(): readonly Breakpoint[] {
    return this.#set;
  }

  /** Sets a break from `EVENT [when FIELD OPERATOR VALUE [and …]]`. */
  add(args: Arguments): Breakpoint {
    const event = eventOf(args);
    const breakpoint = {
      number: this.#next,
      event,
      conditions: conditionsOf(event, args),
      hits: 0,
    };
    this.#next++;
    this.#set = [...this.#set, breakpoint];
    return breakpoint;
  }

  /** Takes a break away; false if there is none of that number. */
  remove(number: number): boolean {
    const left = this.#set.filter((other) => other.number !== number);
    const found = left.length < this.#set.length;
    this.#set = left;
    return found;
  }

  /** Takes note of an event; `number` is the event's own. */
  check(
    number: number,
    name: EventName,
    a: number,
    b: number,
    c: number,
    d: number,
    e: number,
  ): void {
    for (const breakpoint of this.#set) {
      if (breakpoint.event !== name) continue;
      const fields = [a, b, c, d, e];
      if (!breakpoint.conditions.every(({ field, holds, value }) => holds(fields[field]!, value)))
        continue;
      breakpoint.hits++;
      this.hit ??= { breakpoint, event: number };
    }
  }
}

/** A break for a person. */
export function breakText({ number, event, conditions }: Breakpoint): string {
  const when =
    conditions.length === 0 ? '' : ` when ${conditions.map(({ text }) => text).join(' and ')}`;
  return `break ${number}: ${event}${when}`;
}

function eventOf(args: Arguments): EventName {
  const wanted = 'an event such as pmap.enter ("show events" lists them)';
  const name = args.word(wanted);
  return Object.hasOwn(EVENTS, name) ? (name as EventName) : args.fail(wanted, name);
}

function conditionsOf(event: EventName, args: Arguments): Condition[] {
  if (args.left === 0) return [];
  const word = args.word('when');
  if (word !== 'when') throw args.error('when, or nothing more', word);
  const rest = args.rest();
  if (rest === '') throw args.error('FIELD OPERATOR VALUE after when', 'nothing');
  return rest.split(/ and /).map((text) => conditionOf(event, text, args));
}

function conditionOf(event: EventName, text: string, args: Arguments): Condition {
  const match = /^\s*(\w+)\s*(==|!=|<=|>=|<|>|&)\s*(\S+)\s*$/.exec(text);
  if (match === null)
    throw args.error(`FIELD OPERATOR VALUE with ${anyOf(Object.keys(OPERATORS))}`, text);
  const [, name = '', operator = '', number = ''] = match;
  const field = EVENTS[event].indexOf(name);
  if (field < 0) throw args.error(`a field of ${event} (${EVENTS[event].join(', ')})`, name);
  const value = numberOf(number) ?? args.fail('a number', number);
  const shown = number.startsWith('0x') ? hex(value, 1) : String(value);
  return {
    text: `${name} ${operator} ${shown}`,
    field,
    holds: OPERATORS[operator as Operator],
    value,
  };
}
