import { type EventName, EVENTS, hex } from '@uvmkit/pmap';

/** Events that are kept. */
const CAPACITY = 4096;
const FIELDS = 5;
const NAMES = Object.keys(EVENTS) as EventName[];
const NUMBERS: ReadonlyMap<EventName, number> = new Map(NAMES.map((name, i) => [name, i]));

/** Fields that are addresses, lengths or bit sets: printed in hexadecimal. */
const HEX_FIELDS: ReadonlySet<string> = new Set(
  'va pa start end length prot access flags old new'.split(' '),
);

/** Of promotions these are pages, of shootdowns CPUs. */
function isHex(name: EventName, field: string): boolean {
  return HEX_FIELDS.has(field) || (name === 'uvm.promote' && (field === 'from' || field === 'to'));
}

/** The last events of a machine, in a ring of numbers: nothing is allocated for one. */
export class EventLog {
  /** Events seen so far. */
  count = 0;
  readonly #names = new Uint8Array(CAPACITY);
  readonly #times = new Float64Array(CAPACITY);
  readonly #fields = new Float64Array(CAPACITY * FIELDS);

  /** @param now virtual ns since boot */
  add(now: number, name: EventName, a: number, b: number, c: number, d: number, e: number): void {
    const at = this.count++ % CAPACITY;
    this.#names[at] = NUMBERS.get(name)!;
    this.#times[at] = now;
    const fields = this.#fields;
    const first = at * FIELDS;
    fields[first] = a;
    fields[first + 1] = b;
    fields[first + 2] = c;
    fields[first + 3] = d;
    fields[first + 4] = e;
  }

  /** The last events, `most` at most, the oldest first: number, time, name and fields. */
  last(most: number): string[] {
    const lines: string[] = [];
    for (
      let number = this.count - Math.min(most, CAPACITY, this.count);
      number < this.count;
      number++
    )
      lines.push(this.text(number));
    return lines;
  }

  /** The event of that number, from 0; it must be among those kept. */
  text(number: number): string {
    const at = number % CAPACITY;
    const name = NAMES[this.#names[at]!]!;
    const fields = EVENTS[name].map((field, i) => {
      const value = this.#fields[at * FIELDS + i]!;
      return `${field}=${isHex(name, field) && value !== -1 ? hex(value, 1) : value}`;
    });
    return [`#${number} ${this.#times[at]!} ns`, name, ...fields].join(' ');
  }
}
