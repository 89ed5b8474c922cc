import { describe, expect, it } from 'vitest';
import { flat } from '../test/flat/port.ts';
import { NO_PA, NO_PMAP } from './address.ts';
import { bootBare } from './bare.ts';
import type { Port } from './port.ts';

const PAGE = 4096;

describe('a bare machine', () => {
  it('manages what the port did not steal', () => {
    const bare = bootBare(flat, { memory: 16 * PAGE });
    expect(bare.segments).toEqual([{ start: PAGE, end: 16 * PAGE }]);
    expect(bare.pageCount).toBe(15);
    expect([0, PAGE - 1, PAGE, 16 * PAGE - 1, 16 * PAGE].map((pa) => bare.isManaged(pa))).toEqual([
      false,
      false,
      true,
      true,
      false,
    ]);
    expect([bare.pageIndex(0), bare.pageIndex(PAGE), bare.pageIndex(3 * PAGE + 5)]).toEqual([
      -1, 0, 2,
    ]);
    expect(bare.pageAddress(2)).toBe(3 * PAGE);
  });

  it('leaves what nobody is to manage at the end of memory alone', () => {
    const bare = bootBare(flat, { memory: 16 * PAGE, unmanaged: 2 * PAGE });
    expect(bare.segments).toEqual([{ start: PAGE, end: 14 * PAGE }]);
    expect([bare.isManaged(14 * PAGE - 1), bare.isManaged(14 * PAGE)]).toEqual([true, false]);
    for (const unmanaged of [1, -PAGE, 16 * PAGE])
      expect(() => bootBare(flat, { memory: 16 * PAGE, unmanaged })).toThrow(
        `at most ${15 * PAGE} in all, given ${unmanaged}`,
      );
  });

  it('gives pages out from the lowest, zeroed, until there are none', () => {
    const bare = bootBare(flat, { memory: 4 * PAGE });
    const pages = [bare.takePage(), bare.takePage(), bare.takePage()];
    expect([...pages, bare.takePage()]).toEqual([PAGE, 2 * PAGE, 3 * PAGE, NO_PA]);
    bare.memory.bytes.fill(9);
    bare.givePage(2 * PAGE);
    expect([bare.takePage(), bare.memory.read8(2 * PAGE)]).toEqual([2 * PAGE, 0]);
    expect(() => bare.givePage(0)).toThrow(RangeError);
    bare.givePage(PAGE);
    expect(() => bare.givePage(PAGE)).toThrow(/is not out/);
  });

  it('runs out of table pages when it is told to', () => {
    const bare = bootBare(flat, { tablePages: 1 });
    const { pmap } = bare.md;
    const map = pmap.create();
    expect([bare.tablePagesOut, pmap.create()]).toEqual([1, NO_PMAP]);
    pmap.destroy(map);
    expect(bare.tablePagesOut).toBe(0);
    bare.tablePageLimit = 2;
    expect([pmap.create(), pmap.create()]).toEqual([1, 2]);
  });

  it('keeps what the port prints, and answers its wish for a place', () => {
    const steals: number[] = [];
    const port: Port = {
      ...flat,
      boot: (services) => {
        services.print('one line');
        steals.push(services.steal(1, PAGE), services.steal(PAGE, 8 * PAGE));
        expect([services.cpus, services.diagnostic]).toEqual([1, true]);
        return flat.boot(services);
      },
    };
    const bare = bootBare(port, { memory: 16 * PAGE });
    expect([bare.printed, steals]).toEqual([['one line'], [0, 8 * PAGE]]);
    expect(bare.segments[0]!.start).toBe(10 * PAGE);
    expect(() => bootBare(port, { memory: 8 * PAGE })).toThrow(/flat wants memory/);
  });
});
