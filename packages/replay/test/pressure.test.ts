import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { ibm4xx, oea } from '@uvmkit/pmap-powerpc';
import { srmmu, sun4c } from '@uvmkit/pmap-sparc';
import { checkUvm } from '@uvmkit/uvm-core';
import type { Machine } from '@uvmkit/machine';
import { describe, expect, test } from 'vitest';
import { PlacementError, replayRecording, replayUnderPressure } from '../src/index.ts';
import { openFixture, openLines, SMALL_IMAGE } from './recordings.ts';

const PORTS = { i386, alpha, sun4c, srmmu, oea, ibm4xx };

describe.each(Object.entries(PORTS))('on %s with swap and too little memory', (_, make) => {
  test.each(['forkcow', 'locker', 'mapfiles', 'stackheap'])(
    '%s reads what it should with a half, a quarter and an eighth of its working set',
    async (name) => {
      const opened = await openFixture(name);
      const port = make();
      const plentiful = await replayRecording(opened, { port });
      const { peakUsedPages, peakFixedPages } = plentiful.memory;
      const workingSet = peakUsedPages - peakFixedPages;
      let swapped = 0;
      for (const divisor of [2, 4, 8]) {
        let machine: Machine | null = null;
        const report = await replayUnderPressure(
          opened,
          { port, prepare: (booted) => (machine = booted) },
          plentiful,
          divisor,
        );
        expect(report).toMatchObject({ mismatches: [], stopped: null, ok: true });
        expect(report.work).toEqual(plentiful.work);
        expect(report.memory.managedPages - peakFixedPages).toBe(Math.ceil(workingSet / divisor));
        expect(checkUvm(machine!.uvm)).toEqual([]);
        expect(report.memory.reclaimed).toBeGreaterThan(0);
        swapped += report.memory.swappedOut;
      }
      expect(swapped).toBeGreaterThan(0);
    },
  );
});

describe('a replay under pressure', () => {
  test('is repeated by the same options', async () => {
    const opened = await openFixture('forkcow');
    const plentiful = await replayRecording(opened, { port: i386() });
    const [first, second] = [
      await replayUnderPressure(opened, { port: i386(), seed: 3 }, plentiful, 8),
      await replayUnderPressure(opened, { port: i386(), seed: 3 }, plentiful, 8),
    ];
    expect(first).toEqual(second);
  });

  test('is stopped by the want of swap, not left hanging', async () => {
    const opened = await openFixture('forkcow');
    const plentiful = await replayRecording(opened, { port: i386() });
    const report = await replayUnderPressure(opened, { port: i386(), swap: 0 }, plentiful, 8);
    expect(report).toMatchObject({ ok: false, swapBytes: 0 });
    expect(report.stopped).toMatch(/SIGKILL .*ENOMEM$/);
  });

  test('refuses sizes that make no sense', async () => {
    const opened = await openLines(SMALL_IMAGE);
    const plentiful = await replayRecording(opened, { port: i386() });
    await expect(replayUnderPressure(opened, { port: i386() }, plentiful, 0.5)).rejects.toThrow(
      new RangeError('a divisor of memory is 1 or more, given 0.5'),
    );
    await expect(replayRecording(opened, { port: i386(), swap: 1000 })).rejects.toThrow(
      new PlacementError('swap must be pages of 4096 bytes, given 1000 bytes'),
    );
  });
});
