import { describe, expect, it } from 'vitest';
import { Clock } from './clock.ts';
import { Random } from './random.ts';

describe('Clock', () => {
  it('lets events happen in the order of their times, and of their making where those are equal', () => {
    const clock = new Clock();
    const seen: string[] = [];
    clock.after(30, () => seen.push(`c@${clock.now}`));
    clock.after(10, () => seen.push(`a@${clock.now}`));
    clock.after(10, () => seen.push(`b@${clock.now}`));
    while (clock.skip());
    expect(seen).toEqual(['a@10', 'b@10', 'c@30']);
  });

  it('keeps a thousand events in order', () => {
    const clock = new Clock();
    const random = new Random(7);
    const seen: number[] = [];
    for (let i = 0; i < 1000; i++) clock.after(random.below(500), () => seen.push(clock.now));
    while (clock.skip());
    expect(seen).toHaveLength(1000);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });

  it('makes events due by charging time, and runs them only when asked', () => {
    const clock = new Clock();
    let happened = 0;
    clock.after(100, () => happened++);
    clock.charge(99);
    expect(clock.due).toBe(false);
    clock.charge(1);
    expect(clock.due).toBe(true);
    expect(happened).toBe(0);
    clock.runDue();
    expect(happened).toBe(1);
    expect(clock.skip()).toBe(false);
  });

  it('never goes back when an event that is overdue happens', () => {
    const clock = new Clock();
    clock.after(10, () => {});
    clock.charge(50);
    clock.skip();
    expect(clock.now).toBe(50);
  });

  it('refuses to schedule into the past', () => {
    expect(() => new Clock().after(-1, () => {})).toThrow(RangeError);
    expect(() => new Clock().after(Number.NaN, () => {})).toThrow(RangeError);
  });
});

describe('Random', () => {
  it('repeats itself from a seed and differs between seeds', () => {
    const draw = (seed: number): number[] => {
      const random = new Random(seed);
      return Array.from({ length: 8 }, () => random.next());
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  it('draws every number below a bound and none beyond', () => {
    const random = new Random(3);
    const counts = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < 6000; i++) counts[random.below(6)]!++;
    expect(counts).toHaveLength(6);
    for (const count of counts) expect(count).toBeGreaterThan(800);
  });
});
