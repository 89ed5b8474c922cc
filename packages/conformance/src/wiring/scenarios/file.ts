import {
  MADV_FREE,
  MAP_ANON,
  MAP_PRIVATE,
  MAP_SHARED,
  MS_INVALIDATE,
  MS_SYNC,
} from '@uvmkit/uvm-core';
import { O_RDWR, type Process } from '@uvmkit/machine';
import type { Va } from '@uvmkit/pmap';
import { told } from '../../world.ts';
import { except, fine, type Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import {
  F,
  gone,
  KEEPS,
  KEEPS_SOURCE,
  MATRIX,
  NOTHING_WIRED,
  RW,
  RX,
  underflows,
  W,
} from './words.ts';

/** A process maps a page of a file and locks it. */
function locked(stage: Stage, file: string, flags: number): { locker: Process; va: Va } {
  const locker = stage.actor('locker');
  const shared = flags === MAP_SHARED;
  let va = 0;
  stage.step(
    `locker maps the file ${shared ? 'shared, rw-' : 'privately, r-x'}, and locks its page`,
    () => {
      va = stage.map(locker, file, 1, shared ? RW : RX, flags);
      stage.must('mlock', locker.sys.mlock(va, stage.page));
    },
  );
  return { locker, va };
}

function resize(stage: Stage, file: string, process: Process, size: number): void {
  const fd = stage.must('open', process.sys.open(file, O_RDWR));
  stage.must('ftruncate', process.sys.ftruncate(fd, size));
}

function unlock(stage: Stage, locker: Process, va: Va): void {
  stage.step('locker unlocks its page', () => {
    stage.see('munlock answers', 'ok', () => told(locker.sys.munlock(va, stage.page)));
  });
}

/** The page is freed under the lock; where the pmap keeps wired mappings this one leads to a free page. */
function freed(hazard: string): ReturnType<typeof gone> {
  return except(gone(hazard), KEEPS, underflows(`${KEEPS_SOURCE}: this one leads to a free page`));
}

const OBJECT_LIST =
  '§13.3, with object lists: every locker of the page is visited before it is freed, and unlocking skips what is missing';

/** The page of a file goes while it is locked. */
export const fileScenarios: readonly Scenario[] = [
  {
    id: 'truncate-shared',
    title: 'truncation, shared lock',
    sentence: 'a file is truncated while the locker has it mapped shared and locked',
    source: '§13.2, H2',
    play(stage) {
      const file = stage.file('file', 1, F);
      const { locker, va } = locked(stage, file, MAP_SHARED);
      const other = stage.actor('other');
      stage.step('other truncates the file to nothing', () => resize(stage, file, other, 0));
      unlock(stage, locker, va);
      stage.see('locker reads', 'SIGSEGV', () => locker.load8(va));
    },
    expected: {
      wire: freed(`H2; ${MATRIX}: panic`),
      wiremax: freed(`H2: the limit of the commit; ${MATRIX}: panic`),
      targeted: fine(`${OBJECT_LIST}; ${MATRIX}`),
      forgetful: fine(`${NOTHING_WIRED}; ${MATRIX}`),
    },
  },
  {
    id: 'truncate-private',
    title: 'truncation, private lock',
    sentence: 'a file is truncated while the locker has it mapped privately, r-x, and locked',
    source: '§13.2: what a lock after the commit holds is not the file’s',
    play(stage) {
      const file = stage.file('file', 1, F);
      const { locker, va } = locked(stage, file, MAP_PRIVATE);
      const other = stage.actor('other');
      stage.step('other truncates the file to nothing', () => resize(stage, file, other, 0));
      unlock(stage, locker, va);
      // A private mapping may or may not see what becomes of its file.
      stage.see('locker reads', [F, 'SIGSEGV'], () => locker.load8(va));
    },
    expected: {
      wire: freed('H2, of a private lock that holds the file’s own page'),
      wiremax: fine('§13.2: the locked page is the locker’s own'),
      targeted: fine(OBJECT_LIST),
      forgetful: fine(NOTHING_WIRED),
    },
  },
  {
    id: 'truncate-regrow',
    title: 'truncated, grown again, touched',
    sentence: 'the locked file is truncated and grows again, and the locker touches its page',
    source: '§13.2, H2 and H8',
    play(stage) {
      const file = stage.file('file', 1, F);
      const { locker, va } = locked(stage, file, MAP_SHARED);
      const other = stage.actor('other');
      stage.step('other truncates the file to nothing, and lets it grow to its old size', () => {
        resize(stage, file, other, 0);
        resize(stage, file, other, stage.page);
      });
      stage.step('locker reads its page', () =>
        stage.see('locker reads', 0, () => locker.load8(va)),
      );
      unlock(stage, locker, va);
    },
    expected: {
      wire: underflows('H8: the fault maps a page wired that nobody has counted'),
      wiremax: underflows('H8: the fault maps a page wired that nobody has counted'),
      targeted: fine('§13.3: the fault in a locked entry takes the lock'),
      forgetful: fine('§13.4: a fault in a locked entry wires the page that it maps once'),
    },
  },
  {
    id: 'ms-invalidate',
    title: 'msync(MS_INVALIDATE)',
    sentence: 'another process throws the cached pages of a file away that the locker has locked',
    source: '§13.2, H3',
    play(stage) {
      const file = stage.file('file', 1, F);
      const { locker, va } = locked(stage, file, MAP_SHARED);
      const other = stage.actor('other');
      stage.step('other maps the file too, and invalidates it with msync(2)', () => {
        const at = stage.map(other, file, 1, RW, MAP_SHARED);
        stage.must('msync', other.sys.msync(at, stage.page, MS_SYNC | MS_INVALIDATE));
      });
      unlock(stage, locker, va);
      stage.see('locker reads', F, () => locker.load8(va));
    },
    expected: {
      wire: freed(`H3; ${MATRIX}: panic`),
      wiremax: freed(`H3; ${MATRIX}: panic`),
      targeted: fine(`${OBJECT_LIST}; ${MATRIX}`),
      forgetful: fine(`${NOTHING_WIRED}; ${MATRIX}`),
    },
  },
  {
    id: 'madvise-free',
    title: 'madvise(MADV_FREE)',
    sentence: 'the locker itself lets the page go that it has locked',
    source: '§13.2, H3; §2.12',
    play(stage) {
      const file = stage.file('file', 1, F);
      const { locker, va } = locked(stage, file, MAP_SHARED);
      stage.step('locker frees its page with madvise(2)', () =>
        stage.must('madvise', locker.sys.madvise(va, stage.page, MADV_FREE)),
      );
      unlock(stage, locker, va);
      stage.see('locker reads', F, () => locker.load8(va));
    },
    expected: {
      wire: freed('H3: a page of a file is freed, wired or not'),
      wiremax: freed('H3: a page of a file is freed, wired or not'),
      targeted: fine(OBJECT_LIST),
      forgetful: fine(NOTHING_WIRED),
    },
  },
  {
    id: 'shared-text',
    title: 'two lockers of one text',
    sentence: 'two processes lock the same pages of a program’s text',
    source: '§13.5, locked text shared between processes',
    play(stage) {
      const text = stage.file('program', 4, F);
      const size = 4 * stage.page;
      const lockers = ['first', 'second'].map((name) => ({ name, process: stage.actor(name) }));
      const places = lockers.map(({ name, process }) => {
        let va = 0;
        stage.step(`${name} maps the program privately, r-x, and locks its four pages`, () => {
          va = stage.map(process, text, 4, RX, MAP_PRIVATE);
          stage.must('mlock', process.sys.mlock(va, size));
        });
        return { name, process, va };
      });
      for (const { name, process, va } of places) {
        stage.step(`${name} unlocks them`, () =>
          stage.see(`munlock answers ${name}`, 'ok', () => told(process.sys.munlock(va, size))),
        );
        stage.see(`${name} reads`, F, () => process.load8(va + size - 1));
      }
    },
    expected: {
      wire: fine('§13.5: shared, and nothing goes wrong as long as nobody promotes'),
      wiremax: fine('§13.2: every locker has copies of its own, which costs memory and no more'),
      targeted: fine('§13.5: shared'),
      forgetful: fine('§13.5: shared'),
    },
  },
  {
    id: 'write-shared',
    title: 'write(2), shared lock',
    sentence: 'another process writes to a file that the locker has mapped shared and locked',
    source: '§6.3: read, write and mmap share their pages, so nothing is substituted',
    play(stage) {
      const file = stage.file('file', 1, F);
      const { locker, va } = locked(stage, file, MAP_SHARED);
      const other = stage.actor('other');
      stage.step('other writes a byte to the file with pwrite(2)', () => {
        const { value: buffer } = other.sys.mmap(0, stage.page, RW, MAP_ANON | MAP_PRIVATE);
        other.store8(buffer, W);
        const fd = stage.must('open', other.sys.open(file, O_RDWR));
        stage.must('pwrite', other.sys.pwrite(fd, buffer, 1, 0));
      });
      stage.see('locker reads', W, () => locker.load8(va));
      unlock(stage, locker, va);
    },
    expected: {
      wire: fine('§6.3: the write goes to the locked page itself'),
      wiremax: fine('§6.3: the write goes to the locked page itself'),
      targeted: fine('§6.3: the write goes to the locked page itself'),
      forgetful: fine('§6.3: the write goes to the locked page itself'),
    },
  },
];
