import { describe, expect, it } from 'vitest';
import { SCENARIOS } from '../test/failure-scenarios.ts';
import {
  type Failure,
  FAILURES,
  type Fate,
  play,
  Stage,
  type InUse,
} from '../test/failure-stage.ts';
import { PORTS } from '../test/ports.ts';
import { ProcessSignal } from './signal.ts';

/*
 * Something fails once: the first time it is asked for, the second, and so on, until it is not asked for so often.
 * `npm run test:failures` does all of it, some twenty thousand runs; otherwise a few places in each scenario are
 * picked, others on each MMU.
 */
const WHOLE = process.env['UVMKIT_FAILURES'] === 'whole';

/** What a scenario may be answered. Whoever wants memory waits for it; what cannot be written is kept; no panic of 2001 is among these. */
const ALLOWED: Readonly<Record<Failure, readonly string[]>> = {
  'page allocation': [],
  'table page allocation': [],
  // The page is lost for good. EINVAL is munlock's answer for what mlock could not lock.
  'swap read': ['EIO', 'EFAULT', 'EINVAL', 'signal 11'],
  'swap write': [],
  'file read': ['EIO', 'EFAULT', 'signal 11'],
  'file write': ['EIO'],
};

/** Failures of a scenario on one MMU, unless all are tried. */
const PICKS = 2;
/** Processes that may see one lost page: parent, child and grandchild. */
const VIEWERS = 3;

function judge(failure: Failure, fate: Fate, unharmed: InUse): void {
  expect(fate.panic).toBeNull();
  expect(fate.left).toEqual(unharmed);
  expect(fate.lost).toBeLessThanOrEqual(failure === 'swap read' ? VIEWERS : 0);
  expect(fate.outcomes.filter((outcome) => !ALLOWED[failure].includes(outcome))).toEqual([]);
}

describe.each(PORTS)(
  'a failure on %s leaves everything else right, and nothing behind, when',
  (arch, port) => {
    const number = PORTS.findIndex(([name]) => name === arch);
    it.each(SCENARIOS.map((scenario, i) => [scenario.name, scenario, i] as const))(
      '%s',
      { timeout: WHOLE ? 600_000 : 20_000 },
      (_, scenario, i) => {
        const unharmed = play(port(), scenario, 'page allocation', 0);
        expect(unharmed).toMatchObject({ failed: false, outcomes: [], panic: null, lost: 0 });
        let failures = 0;
        const fails = (failure: Failure, nth: number): boolean => {
          const fate = play(port(), scenario, failure, nth);
          if (!fate.failed) return false;
          judge(failure, fate, unharmed.left!);
          failures++;
          return true;
        };
        if (WHOLE) for (const failure of FAILURES) for (let nth = 1; fails(failure, nth); nth++);
        else
          // Not every scenario asks for everything, or so often.
          for (let pick = 0; pick < FAILURES.length && failures < PICKS; pick++) {
            const failure = FAILURES[(i + number + pick) % FAILURES.length]!;
            const nth = 1 + ((7 * i + 5 * number + 11 * pick) % 40);
            if (!fails(failure, nth)) fails(failure, 1);
          }
        expect(failures).toBeGreaterThan(0);
      },
    );
  },
);

describe('the stage', () => {
  const make = (failure: Failure, nth: number): Stage => new Stage(PORTS[1]![1](), failure, nth);

  it('sees what a process should not read', () => {
    const stage = make('swap read', 0);
    const va = stage.anon(stage.root, 1)!;
    stage.store(stage.root, va, 1);
    stage.root.store8(va, 2);
    expect(() => stage.load(stage.root, va)).toThrow(/reads 2 at 0x.*, should read 1/);
  });

  it('sees what a file should not hold', () => {
    const stage = make('file write', 0);
    const fd = stage.root.sys.open('f', 2).value;
    const va = stage.anon(stage.root, 1)!;
    stage.store(stage.root, va, 99);
    stage.root.sys.pwrite(fd, va, 1, 0);
    expect(() => stage.verify()).toThrow('page 0 of the file is 99 on disk, should be 1');
  });

  it('takes no refusal for the work of a failure that has not happened', () => {
    const stage = make('swap read', 1);
    expect(() => stage.sys(stage.root.sys.munmap(1, 4096))).toThrow('and nothing was made to fail');
    expect(() => stage.root.load8(0)).toThrow(ProcessSignal);
  });

  it('sees a page that nobody gives back', () => {
    const [before, after] = [make('swap read', 0), make('swap read', 0)];
    const { pages } = after.machine.uvm;
    pages.kernelPages += Number(pages.alloc(null, 0, -1, 0) >= 0);
    expect(() => expect(after.end()).toEqual(before.end())).toThrow();
  });
});
