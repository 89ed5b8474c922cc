import { describe, expect, it } from 'vitest';
import * as events from './events.ts';
import { EventStream, EVENTS, type EventName } from './events.ts';

describe('an event stream', () => {
  it('is watched exactly while someone listens', () => {
    const stream = new EventStream();
    expect(stream.watched).toBe(false);
    const [stop, other] = [stream.watch(() => {}), stream.watch(() => {})];
    stop();
    stop();
    expect(stream.watched).toBe(true);
    other();
    expect(stream.watched).toBe(false);
  });

  it('tells every listener, in order, with 0 for fields that an event lacks', () => {
    const stream = new EventStream();
    const seen: unknown[] = [];
    stream.watch((...event) => seen.push(['first', ...event]));
    stream.watch((...event) => seen.push(['second', ...event]));
    stream.emit('tlb.flushPage', 1, 0x2000);
    expect(seen).toEqual([
      ['first', 'tlb.flushPage', 1, 0x2000, 0, 0, 0],
      ['second', 'tlb.flushPage', 1, 0x2000, 0, 0, 0],
    ]);
  });

  it('takes one function that listens twice away once at a time', () => {
    const stream = new EventStream();
    const seen: EventName[] = [];
    const listener = (name: EventName) => seen.push(name);
    const stop = stream.watch(listener);
    stream.watch(listener);
    stop();
    stream.emit('pmap.create', 1);
    expect(seen).toEqual(['pmap.create']);
  });

  it('lets a listener leave while it is told', () => {
    const stream = new EventStream();
    const seen: string[] = [];
    const stop = stream.watch(() => {
      seen.push('once');
      stop();
    });
    stream.watch(() => seen.push('always'));
    stream.emit('pmap.create', 1);
    stream.emit('pmap.create', 2);
    expect(seen).toEqual(['once', 'always', 'always']);
  });
});

it.each(Object.entries(EVENTS))(
  '%s has at most five fields, each with a name of its own',
  (_, fields) => {
    expect(fields.length).toBeLessThanOrEqual(5);
    expect(new Set(fields).size).toBe(fields.length);
  },
);

it.each(['SCOPE_', 'STEAL_'])('no two of the %s constants are alike', (prefix) => {
  const values = Object.entries(events)
    .filter(([name]) => name.startsWith(prefix))
    .map(([, value]) => value);
  expect(values.length).toBeGreaterThan(3);
  expect(new Set(values).size).toBe(values.length);
});
