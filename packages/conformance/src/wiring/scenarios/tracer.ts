import { MAP_PRIVATE, MAP_SHARED, MCL_CURRENT } from '@uvmkit/uvm-core';
import type { Process } from '@uvmkit/machine';
import type { Va } from '@uvmkit/pmap';
import { told } from '../../world.ts';
import { absent, except, fine, loses, type Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import {
  F,
  gone,
  KEEPS,
  KEEPS_SOURCE,
  MATRIX,
  NOTHING_WIRED,
  RX,
  TRANSFER,
  underflows,
  W,
  WORD,
} from './words.ts';

/** The library is mapped and read by a process that a debugger will take hold of. */
function traced(stage: Stage, library: string): { other: Process; at: Va } {
  const other = stage.actor('other');
  let at = 0;
  stage.step('other maps the library privately, r-x, and reads its first page', () => {
    at = stage.map(other, library, 1, RX, MAP_PRIVATE);
    other.load8(at);
  });
  return { other, at };
}

/** The locker's own mapping of the library, locked. */
function locked(stage: Stage, locker: Process, library: string, flags: number): Va {
  const how = flags === MAP_SHARED ? 'shared' : 'privately';
  let va = 0;
  stage.step(`locker maps the library ${how}, r-x, and locks its first page`, () => {
    va = stage.map(locker, library, 1, RX, flags);
    stage.must('mlock', locker.sys.mlock(va, stage.page));
  });
  return va;
}

function poke(stage: Stage, target: Process, name: string, va: Va): void {
  const tracer = stage.actor('tracer');
  stage.step(
    `tracer writes a word into ${name}'s page: ptrace(2) maps the page into the kernel and stores there`,
    () => stage.poke(tracer, target, va, WORD),
  );
}

const REVOKED =
  '§13.1: the promotion in the shared amap takes the file’s page from every pmap, the locker’s too';
const COPIED = '§13.2: the locker’s page is its own copy since it was locked';

/** A debugger writes into a process, and another process has a lock. */
export const tracerScenarios: readonly Scenario[] = [
  {
    id: 'ptrace-private',
    title: 'ptrace write, private lock elsewhere',
    sentence:
      'a tracer writes into another process’ private page of a file that the locker has locked, privately and r-x',
    source: '§13.1, first failure',
    play(stage) {
      const library = stage.file('library', 1, F);
      const locker = stage.actor('locker');
      const va = locked(stage, locker, library, MAP_PRIVATE);
      const { other, at } = traced(stage, library);
      poke(stage, other, 'other', at);
      stage.step('locker unlocks its page', () => {
        stage.see('munlock answers', 'ok', () => told(locker.sys.munlock(va, stage.page)));
      });
      stage.see('locker reads', F, () => locker.load8(va));
      stage.see('other reads', W, () => other.load8(at));
    },
    expected: {
      wire: except(gone(`${REVOKED}; ${MATRIX}: panic`), KEEPS, fine(KEEPS_SOURCE)),
      wiremax: fine(`${COPIED}; ${MATRIX}`),
      targeted: fine(`§13.3: only the users of the amap lose the old page; ${MATRIX}`),
      forgetful: fine(`${NOTHING_WIRED}; ${MATRIX}`),
    },
  },
  {
    id: 'seven-reports',
    title: 'the seven problem reports',
    sentence:
      'a daemon that has locked itself into memory ends after somebody has debugged another program with the same shared library',
    source:
      'NetBSD PRs 10363, 12554, 12604, 13041, 13487, 14580, 14853: the commit of 31 December 2001',
    play(stage) {
      const library = stage.file('libc.so', 4, F);
      const daemon = stage.actor('daemon');
      stage.step(
        'daemon maps libc.so privately, r-x, and locks everything with mlockall(2)',
        () => {
          stage.map(daemon, library, 4, RX, MAP_PRIVATE);
          stage.must('mlockall', daemon.sys.mlockall(MCL_CURRENT));
        },
      );
      const program = stage.actor('program');
      const debuggr = stage.actor('debugger');
      let at = 0;
      const bystander = stage.actor('bystander');
      let there = 0;
      stage.step('program and bystander map libc.so too, and run code of it', () => {
        at = stage.map(program, library, 4, RX, MAP_PRIVATE);
        there = stage.map(bystander, library, 4, RX, MAP_PRIVATE);
        program.fetch8(at + stage.page);
        bystander.fetch8(there + stage.page);
      });
      stage.step(
        'debugger sets a breakpoint in program’s libc.so: ptrace(2) maps the page into the kernel and stores there',
        () => stage.poke(debuggr, program, at + stage.page, WORD),
      );
      stage.see('program runs into', W, () => program.fetch8(at + stage.page));
      stage.see('bystander runs', F, () => bystander.fetch8(there + stage.page));
      stage.step('program ends, then debugger', () => {
        program.sys.exit();
        debuggr.sys.exit();
      });
      stage.step('daemon ends: its locks are taken back', () => {
        daemon.sys.exit();
        stage.machine.run();
      });
    },
    expected: {
      wire: except(gone(`${REVOKED}; the seven reports' panic`), KEEPS, fine(KEEPS_SOURCE)),
      wiremax: fine(`${COPIED}: what the commit says it repairs`),
      targeted: fine(`§13.3: only the users of the amap lose the old page`),
      forgetful: fine(NOTHING_WIRED),
    },
  },
  {
    id: 'ptrace-own',
    title: 'ptrace write into the locker',
    sentence: 'the locker itself is traced: a word is written into the page that it has locked',
    source: '§13.1, third failure',
    play(stage) {
      const library = stage.file('library', 1, F);
      const locker = stage.actor('locker');
      const va = locked(stage, locker, library, MAP_PRIVATE);
      poke(stage, locker, 'locker', va);
      stage.step('locker unlocks its page', () => {
        stage.see('munlock answers', 'ok', () => told(locker.sys.munlock(va, stage.page)));
      });
      stage.see('locker reads', W, () => locker.load8(va));
    },
    expected: {
      wire: except(
        gone('§13.1: the promotion takes the old page from the locker as well'),
        KEEPS,
        loses(`${KEEPS_SOURCE}: the locker reads the page from before the write`),
      ),
      wiremax: fine('§13.1: the write goes to the very page that is locked'),
      targeted: fine(TRANSFER),
      forgetful: fine(NOTHING_WIRED),
    },
  },
  {
    id: 'ptrace-own-touch',
    title: 'likewise, and it runs on',
    sentence: 'the locker reads the page that a tracer wrote to before it unlocks it',
    source: '§13.1, third failure',
    play(stage) {
      const library = stage.file('library', 1, F);
      const locker = stage.actor('locker');
      const va = locked(stage, locker, library, MAP_PRIVATE);
      poke(stage, locker, 'locker', va);
      stage.step('locker reads its page', () =>
        stage.see('locker reads', W, () => locker.load8(va)),
      );
      stage.step('locker unlocks its page', () => {
        stage.see('munlock answers', 'ok', () => told(locker.sys.munlock(va, stage.page)));
      });
    },
    expected: {
      wire: except(
        underflows('§13.1: the fault maps the new page wired, which nobody has counted'),
        KEEPS,
        loses(`${KEEPS_SOURCE}: the locker reads the page from before the write`),
      ),
      wiremax: fine('§13.1: the write goes to the very page that is locked'),
      targeted: fine(TRANSFER),
      forgetful: fine(NOTHING_WIRED),
    },
  },
  {
    id: 'ptrace-shared',
    title: 'ptrace write, shared lock elsewhere',
    sentence:
      'a tracer writes into another process’ private page of a file that the locker has mapped shared and locked',
    source: '§13.2, H1',
    play(stage) {
      const library = stage.file('library', 1, F);
      const locker = stage.actor('locker');
      const va = locked(stage, locker, library, MAP_SHARED);
      const { other, at } = traced(stage, library);
      poke(stage, other, 'other', at);
      stage.step('locker unlocks its page', () => {
        stage.see('munlock answers', 'ok', () => told(locker.sys.munlock(va, stage.page)));
      });
      stage.see('locker reads', F, () => locker.load8(va));
      stage.see('other reads', W, () => other.load8(at));
    },
    expected: {
      wire: except(gone(`H1; ${MATRIX}: panic`), KEEPS, fine(KEEPS_SOURCE)),
      wiremax: except(
        gone(`H1: the limit of the commit; ${MATRIX}: panic`),
        KEEPS,
        fine(KEEPS_SOURCE),
      ),
      targeted: fine(`§13.3: only the users of the amap lose the old page; ${MATRIX}`),
      forgetful: fine(`${NOTHING_WIRED}; ${MATRIX}`),
    },
  },
  {
    id: 'cpus',
    title: 'several CPUs',
    sentence:
      'the locker runs on a CPU of its own, its locked page in that CPU’s TLB, while a tracer writes elsewhere',
    source: '§13.1: if the locker touches the page before it unlocks it, the books balance again',
    cpus: 2,
    play(stage) {
      const library = stage.file('library', 1, F);
      const locker = stage.actor('locker');
      locker.cpu = stage.machine.cpus[1]!;
      const va = locked(stage, locker, library, MAP_PRIVATE);
      stage.step('locker reads its page on CPU 1', () =>
        stage.see('locker reads', F, () => locker.load8(va)),
      );
      const { other, at } = traced(stage, library);
      poke(stage, other, 'other', at);
      stage.step('locker reads its page on CPU 1 again', () =>
        stage.see('locker reads again', F, () => locker.load8(va)),
      );
      stage.step('locker unlocks its page', () => {
        stage.see('munlock answers', 'ok', () => told(locker.sys.munlock(va, stage.page)));
      });
      stage.see('other reads', W, () => other.load8(at));
    },
    expected: {
      wire: oneCpu(
        except(
          loses('§13.1: the failure is intermittent: the next touch maps the page wired again'),
          KEEPS,
          fine(KEEPS_SOURCE),
        ),
      ),
      wiremax: oneCpu(fine(COPIED)),
      targeted: oneCpu(fine('§13.3: only the users of the amap lose the old page')),
      forgetful: oneCpu(fine(NOTHING_WIRED)),
    },
  },
];

function oneCpu(general: ReturnType<typeof fine>): ReturnType<typeof fine> {
  const sun4c = except(general, ['sun4c'], absent('pmap-sparc §D: a sun4c has one CPU'));
  return except(sun4c, ['ibm4xx'], absent('pmap-powerpc §D: a 40x works alone'));
}
