import { OPTIMISATIONS } from '@uvmkit/machine';
import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { ibm4xx, oea } from '@uvmkit/pmap-powerpc';
import { srmmu, sun4c } from '@uvmkit/pmap-sparc';
import { describe, expect, test } from 'vitest';
import { replayRecording, replayUnderPressure } from '../src/index.ts';
import { openFixture } from './recordings.ts';

/** `npm run test:plain` leaves each optimisation out of each replay; otherwise one is left out, another on each MMU. */
const WHOLE = process.env['UVMKIT_PLAIN'] === 'whole';

const PORTS = { i386, alpha, sun4c, srmmu, oea, ibm4xx };
const ALL = Object.fromEntries(OPTIMISATIONS.map((name) => [name, false]));
const PLAIN = [...OPTIMISATIONS.map((name) => ({ [name]: false })), ALL];

describe.each(Object.entries(PORTS))('on %s without optimisations', (arch, make) => {
  const number = Object.keys(PORTS).indexOf(arch);
  test.each(['forkcow', 'locker', 'mapfiles', 'stackheap'])(
    '%s reads the same, with plenty of memory and with a quarter of it',
    { timeout: 60_000 },
    async (name) => {
      const opened = await openFixture(name);
      const port = make();
      const usual = await replayRecording(opened, { port });
      for (const [n, without] of PLAIN.entries()) {
        if (!WHOLE && n !== number % PLAIN.length) continue;
        const options = { port, ...without };
        for (const report of [
          await replayRecording(opened, options),
          await replayUnderPressure(opened, options, usual, 4),
        ]) {
          expect(report).toMatchObject({ ok: true, mismatches: [], stopped: null });
          expect(report.without).toEqual(Object.keys(without));
          expect(report.work).toEqual(usual.work);
        }
      }
    },
  );
});
