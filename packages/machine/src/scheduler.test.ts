import { describe, expect, it } from 'vitest';
import { Random } from './random.ts';
import { Scheduler } from './scheduler.ts';

const scheduler = (seed = 1): Scheduler<string> => new Scheduler(new Random(seed));

describe('Scheduler', () => {
  it('runs everyone who is ready exactly once', () => {
    const queue = scheduler();
    for (const name of ['a', 'b', 'c', 'd']) queue.ready(name);
    const ran = [queue.next(), queue.next(), queue.next(), queue.next()];
    expect(new Set(ran)).toEqual(new Set(['a', 'b', 'c', 'd']));
    expect(queue.next()).toBeNull();
  });

  it('draws the order from the seed', () => {
    const order = (seed: number): string => {
      const queue = scheduler(seed);
      for (const name of 'abcdefgh') queue.ready(name);
      return Array.from({ length: 8 }, () => queue.next()).join('');
    };
    expect(order(5)).toBe(order(5));
    expect(new Set([1, 2, 3, 4, 5].map(order)).size).toBeGreaterThan(1);
  });

  it('wakes the sleepers of one channel in the order in which they fell asleep, and only those', () => {
    const queue = scheduler();
    const woken: string[] = [];
    queue.sleep(7, { awaken: () => woken.push('first') });
    queue.sleep(8, { awaken: () => woken.push('other') });
    queue.sleep(7, { awaken: () => woken.push('second') });
    queue.wakeup(7);
    queue.wakeup(7);
    queue.wakeup(9);
    expect(woken).toEqual(['first', 'second']);
    expect([...queue.channels()]).toEqual([[8, 1]]);
  });

  it('lets a sleeper that sleeps again at once wait for the next wakeup', () => {
    const queue = scheduler();
    let woken = 0;
    const again = {
      awaken: () => {
        woken++;
        queue.sleep(1, again);
      },
    };
    queue.sleep(1, again);
    queue.wakeup(1);
    queue.wakeup(1);
    expect(woken).toBe(2);
  });

  it('forgets one sleeper of several', () => {
    const queue = scheduler();
    const woken: string[] = [];
    const first = { awaken: () => woken.push('first') };
    queue.sleep(1, first);
    queue.sleep(1, { awaken: () => woken.push('second') });
    queue.forget(1, first);
    queue.wakeup(1);
    expect(woken).toEqual(['second']);
  });
});
