import { KernelPanic } from '@uvmkit/pmap';
import { i386 } from '@uvmkit/pmap-i386';
import { alpha } from '@uvmkit/pmap-alpha';
import { MAP_ANON, MAP_PRIVATE, wiremaxPolicy, wirePolicy } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import {
  differences,
  fine,
  groupText,
  type Kind,
  runScenario,
  runWiring,
  type Scenario,
  scenarios,
  type Stage,
} from './index.ts';

const port = i386();

/** A scenario that is expected to be fine. */
function playing(play: (stage: Stage) => void, cpus = 1): Scenario {
  const expected = fine('§0');
  return {
    id: 'test',
    title: 'a test',
    sentence: 'something happens',
    source: 'this test',
    cpus,
    play,
    expected: { wire: expected, wiremax: expected, targeted: expected, forgetful: expected },
  };
}

function kindOf(play: (stage: Stage) => void): Kind {
  const { kind, ok } = runScenario(playing(play), wiremaxPolicy, port);
  expect(ok).toBe(kind === 'fine');
  return kind;
}

/** A locked page. */
function locked(stage: Stage) {
  const process = stage.actor('locker');
  const va = stage.must('mmap', process.sys.mmap(0, stage.page, 3, MAP_ANON | MAP_PRIVATE));
  stage.must('mlock', process.sys.mlock(va, stage.page));
  return { process, va, page: stage.machine.uvm.pages.pageIndex(process.touch(va, 1)) };
}

describe('what became of a scenario', () => {
  it('is fine if nothing speaks against it', () => {
    expect(kindOf((stage) => stage.see('one', 1, () => 1))).toBe('fine');
  });

  it('is a message if the kernel printed something and nothing else is wrong', () => {
    const play = (stage: Stage): void =>
      stage.step('the kernel talks', () => stage.machine.print('odd'));
    const { kind, words, findings } = runScenario(playing(play), wiremaxPolicy, port);
    expect([kind, words]).toEqual(['message', 'odd']);
    expect(findings).toEqual([{ kind, step: 'the kernel talks', text: 'odd', invariant: 0 }]);
  });

  it('is a loss if a program sees the wrong thing, or gets a signal', () => {
    expect(kindOf((stage) => stage.see('one', [1, 2], () => 3))).toBe('lost');
    const touch = (stage: Stage): void =>
      stage.see('memory', 0, () => stage.actor('program').load8(0));
    const { kind, sights } = runScenario(playing(touch), wiremaxPolicy, port);
    expect([kind, sights]).toEqual(['lost', { memory: 'SIGSEGV' }]);
  });

  it('is a loss if a locked page is not mapped after a step, though it is later', () => {
    const play = (stage: Stage): void => {
      const { process, va } = locked(stage);
      stage.step('the mapping goes', () =>
        stage.machine.md.pmap.remove(process.space.pmap, va, va + stage.page),
      );
      stage.step('and comes back', () => process.load8(va));
    };
    const { kind, findings } = runScenario(playing(play), wiremaxPolicy, port);
    expect(kind).toBe('lost');
    expect(findings).toMatchObject([{ invariant: 41, step: 'the mapping goes' }]);
  });

  it('is a count if the claims on a page are not those that it knows of', () => {
    const play = (stage: Stage): void => {
      const { page } = locked(stage);
      stage.step('somebody wires it', () => stage.machine.uvm.pages.wire(page));
      stage.step('and takes it back', () => stage.machine.uvm.pages.unwire(page));
    };
    const { kind, findings } = runScenario(playing(play), wiremaxPolicy, port);
    expect(kind).toBe('count');
    expect(findings).toMatchObject([{ invariant: 40, step: 'somebody wires it' }]);
  });

  it('is a count if a limit is held against the wrong number', () => {
    expect(kindOf((stage) => stage.seeCount('refused', 0, () => 1))).toBe('count');
  });

  it('is a panic if the kernel stops, whatever else is wrong, and nothing happens after it', () => {
    const seen: string[] = [];
    const play = (stage: Stage): void => {
      stage.see('one', 1, () => 2);
      stage.step('the kernel stops', () => {
        throw stage.machine.stopAt(new KernelPanic('out of luck', { at: 1 }));
      });
      stage.step('more', () => seen.push('more'));
      stage.see('more', 1, () => seen.push('seen'));
    };
    const { kind, words, stoppedIn } = runScenario(playing(play), wiremaxPolicy, port);
    expect([kind, words, stoppedIn]).toEqual(['panic', 'out of luck', 'the kernel stops']);
    expect(seen).toEqual([]);
  });

  it('is broken if an invariant fails that wiring has nothing to do with', () => {
    const play = (stage: Stage): void =>
      stage.step('a lie', () => void stage.machine.uvm.exp.anonpages++);
    expect(kindOf(play)).toBe('broken');
  });

  it('is not known where the machine cannot be built', () => {
    const { kind } = runScenario(
      playing(() => {}, 99),
      wiremaxPolicy,
      port,
    );
    expect(kind).toBe('absent');
  });

  it('is an error of the scenario’s own if a call that must work does not', () => {
    expect(() => kindOf((stage) => stage.must('mmap', { error: 22, value: -1 }))).toThrow(
      'mmap answered EINVAL',
    );
  });
});

describe('a report', () => {
  it('says who differs, in words, and fails if a cell is not what was expected', () => {
    const report = runWiring({
      ports: [port, alpha()],
      policies: [wirePolicy, wiremaxPolicy],
      scenarios: scenarios.filter(({ id }) => id === 'ptrace-private' || id === 'fork'),
    });
    expect(report).toMatchObject({ ok: true, differing: 0, counts: { panic: 1, fine: 7 } });
    const [difference, ...others] = differences(report);
    expect(others).toEqual([]);
    expect(difference).toMatchObject({ scenario: 'ptrace-private', policy: 'wire' });
    expect(difference!.groups.map(groupText)).toEqual([
      'i386 panics: "uvm_fault_unwire_locked: unwiring non-wired memory"',
      'alpha shrugs',
    ]);
    expect(difference!.groups[1]!.because).toContain('pmap-alpha §C.2');
    const lost = runWiring({
      ports: [port],
      policies: [wiremaxPolicy],
      scenarios: [playing((stage) => stage.see('one', 1, () => 2))],
    });
    expect(lost).toMatchObject({ ok: false, differing: 1, counts: { lost: 1, fine: 0 } });
  });

  it('tells one MMU from several', () => {
    const group = { archs: ['i386'], kind: 'panic', words: 'so', because: '' } as const;
    expect(groupText(group)).toBe('i386 panics: "so"');
    expect(groupText({ ...group, archs: ['i386', 'oea', 'alpha'], kind: 'fine' })).toBe(
      'i386, oea and alpha shrug',
    );
  });
});
