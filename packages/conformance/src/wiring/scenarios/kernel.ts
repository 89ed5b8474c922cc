import { MAP_ANON, MAP_PRIVATE, MAP_SHARED } from '@uvmkit/uvm-core';
import { O_RDWR, type Process } from '@uvmkit/machine';
import { type Va, VM_PROT_NONE } from '@uvmkit/pmap';
import { told } from '../../world.ts';
import { complains, except, fine, miscounts, type Scenario } from '../scenario.ts';
import type { Stage } from '../stage.ts';
import {
  F,
  gone,
  KEEPS,
  KEEPS_SOURCE,
  MATRIX,
  NOTHING_WIRED,
  RW,
  RWX,
  RX,
  TRANSFER,
  underflows,
  W,
  WORD,
} from './words.ts';

/** A page of private memory, filled and locked. */
function lockedMemory(stage: Stage): { locker: Process; va: Va } {
  const locker = stage.actor('locker');
  let va = 0;
  stage.step('locker fills a page of private memory and locks it', () => {
    va = stage.must('mmap', locker.sys.mmap(0, stage.page, RW, MAP_ANON | MAP_PRIVATE));
    locker.writeBytes(va, new Uint8Array(stage.page).fill(F));
    stage.must('mlock', locker.sys.mlock(va, stage.page));
  });
  return { locker, va };
}

function unlock(stage: Stage, locker: Process, va: Va): void {
  stage.step('locker unlocks its page', () => {
    stage.see('munlock answers', 'ok', () => told(locker.sys.munlock(va, stage.page)));
  });
}

/** A raw partition of a disk of its own, and whether a transfer of it has begun. */
function rawDisk(stage: Stage): { path: string; begun: () => boolean; peek: () => number } {
  const { machine } = stage;
  const disk = machine.addDisk({ size: 1 << 20 });
  machine.addPartition('/dev/sd1a', disk);
  const number = 1;
  let transfers = 0;
  machine.events.watch((name, device) => {
    if (name === 'io.start' && device === number) transfers++;
  });
  return {
    path: '/dev/rsd1a',
    begun: () => transfers > 0,
    peek: () => {
      const byte = new Uint8Array(1);
      disk.peek(0, byte);
      return byte[0]!;
    },
  };
}

const LOAN_MISCOUNT =
  'H4: breaking the loan leaves the lock’s count on the old page, and maps the new one wired, uncounted';

const OWN_COUNT = 'UVM counts the locked pages of a map itself';

/** What the kernel does to a lock without anybody’s file or tracer. */
export const kernelScenarios: readonly Scenario[] = [
  {
    id: 'store-after-mprotect',
    title: 'mlock r-x, mprotect, store',
    sentence: 'the locker makes its locked private text writable and stores to it',
    source: '§13.1, second failure',
    play(stage) {
      const library = stage.file('library', 1, F);
      const locker = stage.actor('locker');
      let va = 0;
      stage.step('locker maps the library privately, r-x, and locks its first page', () => {
        va = stage.map(locker, library, 1, RX, MAP_PRIVATE);
        stage.must('mlock', locker.sys.mlock(va, stage.page));
      });
      stage.step('locker makes the page writable with mprotect(2) and stores to it', () => {
        stage.must('mprotect', locker.sys.mprotect(va, stage.page, RWX));
        locker.store8(va, W);
      });
      stage.see('locker reads', W, () => locker.load8(va));
      unlock(stage, locker, va);
    },
    expected: {
      wire: underflows(
        `§13.1: the copy is mapped wired, which nobody has counted; ${MATRIX}: miscount`,
      ),
      wiremax: fine(`§13.2: the page was copied when it was locked; ${MATRIX}`),
      targeted: fine(`${TRANSFER}; ${MATRIX}`),
      forgetful: fine(`§13.4: the record moves to the copy; ${MATRIX}`),
    },
  },
  {
    id: 'loan',
    title: 'loan of a wired page',
    sentence:
      'the locker sends its locked page through a socket, which borrows it, and stores to it',
    source: '§13.2, H4; §10',
    play(stage) {
      const { locker, va } = lockedMemory(stage);
      let buffer = 0;
      let pair = { value: -1, second: -1 };
      stage.step('locker writes the page to a socket: the kernel borrows it', () => {
        pair = locker.sys.socketpair();
        stage.must('write', locker.sys.write(pair.value, va, stage.page));
      });
      stage.step('locker stores to the page', () => locker.store8(va, W));
      stage.see('locker reads', W, () => locker.load8(va));
      stage.step('what was sent is read at the other end', () => {
        buffer = stage.must('mmap', locker.sys.mmap(0, stage.page, RW, MAP_ANON | MAP_PRIVATE));
        stage.must('read', locker.sys.read(pair.second, buffer, stage.page));
      });
      stage.see('the other end reads', F, () => locker.load8(buffer));
      unlock(stage, locker, va);
    },
    expected: {
      wire: underflows(`${LOAN_MISCOUNT}; ${MATRIX}: miscount`),
      wiremax: underflows(`${LOAN_MISCOUNT}; ${MATRIX}: miscount`),
      targeted: fine(`${TRANSFER}; ${MATRIX}`),
      forgetful: fine(`§13.4: the record moves to the copy; ${MATRIX}`),
    },
  },
  {
    id: 'vslock',
    title: 'the vslock window',
    sentence:
      'a page is revoked while the kernel keeps it in memory for a transfer of physio, straight from a private buffer',
    source: '§13.2, H5; §11.3',
    play(stage) {
      const library = stage.file('library', 1, F);
      const raw = rawDisk(stage);
      const locker = stage.actor('writer');
      const other = stage.actor('other');
      let va = 0;
      let at = 0;
      let answer = '';
      stage.step('writer maps the library privately, r-x, and reads it; so does other', () => {
        va = stage.map(locker, library, 1, RX, MAP_PRIVATE);
        locker.load8(va);
        at = stage.map(other, library, 1, RX, MAP_PRIVATE);
        other.load8(at);
      });
      stage.step(
        'writer writes the page to a raw disk: uvm_vslock wires it, the disk begins',
        () => {
          const fd = stage.must('open', locker.sys.open(raw.path, O_RDWR));
          const { page } = stage;
          stage.run(
            locker,
            function* (thread) {
              answer = told(yield* thread.write(fd, va, page));
            },
            raw.begun,
          );
        },
      );
      const tracer = stage.actor('tracer');
      stage.step(
        'meanwhile tracer writes a word into other’s page: ptrace(2) maps the page into the kernel and stores there',
        () => stage.poke(tracer, other, at, WORD),
      );
      stage.step('the transfer ends: uvm_vsunlock', () => stage.machine.run());
      stage.see('write answers', 'ok', () => answer);
      stage.see('the disk has', F, raw.peek);
      stage.see('other reads', W, () => other.load8(at));
    },
    expected: {
      wire: except(gone(`H5; ${MATRIX}: panic`), KEEPS, fine(KEEPS_SOURCE)),
      wiremax: except(
        gone(`H5: transient wiring is made at the access's protection; ${MATRIX}: panic`),
        KEEPS,
        fine(KEEPS_SOURCE),
      ),
      targeted: fine(`§13.3: a transient wiring is a user like the others; ${MATRIX}`),
      forgetful: fine(`${NOTHING_WIRED}; ${MATRIX}`),
    },
  },
  {
    id: 'mprotect-none',
    title: 'mprotect(PROT_NONE)',
    sentence: 'the locker forbids itself every access to its locked page, and unlocks it then',
    source: '§13.2, H6; §2.8',
    play(stage) {
      const { locker, va } = lockedMemory(stage);
      stage.step('locker takes every right to the page away with mprotect(2)', () =>
        stage.must('mprotect', locker.sys.mprotect(va, stage.page, VM_PROT_NONE)),
      );
      unlock(stage, locker, va);
      stage.step('locker allows reading again', () =>
        stage.must('mprotect', locker.sys.mprotect(va, stage.page, RW)),
      );
      stage.see('locker reads', F, () => locker.load8(va));
    },
    expected: {
      wire: gone('H6: pmap_protect(NONE) removes, on every port'),
      wiremax: gone('H6: pmap_protect(NONE) removes, on every port'),
      targeted: fine('§13.3: unlocking skips what is missing, and finds the page by its place'),
      forgetful: fine(NOTHING_WIRED),
    },
  },
  {
    id: 'device',
    title: 'a device',
    sentence: 'the frames of a device are mapped and locked, and unlocked again',
    source: '§13.2, H9; §6.5',
    play(stage) {
      const name = stage.device('/dev/fb0');
      const locker = stage.actor('locker');
      let va = 0;
      stage.step('locker maps the frame buffer, draws in it and locks it', () => {
        va = stage.map(locker, name, 1, RW, MAP_SHARED);
        locker.store8(va, W);
        stage.must('mlock', locker.sys.mlock(va, stage.page));
      });
      unlock(stage, locker, va);
      stage.see('locker reads', W, () => locker.load8(va));
    },
    expected: {
      wire: unwiresUnwired(),
      wiremax: unwiresUnwired(),
      targeted: fine('§13.3: what has no page is not unwired through the pmap'),
      forgetful: fine(NOTHING_WIRED),
    },
  },
  {
    id: 'fork',
    title: 'fork while wired',
    sentence: 'a process with locked memory forks; both store to it, and each sees its own',
    source: '§2.15; §3.4: amap_cow_now copies for the child',
    play(stage) {
      const { locker, va } = lockedMemory(stage);
      let child = locker;
      stage.step('locker forks', () => {
        const pid = stage.must('fork', locker.sys.fork());
        child = stage.known('child', stage.machine.processes.get(pid)!);
      });
      stage.step('locker stores to the page', () => locker.store8(va, W));
      stage.see('child reads', F, () => child.load8(va));
      stage.step('child stores to the page', () => child.store8(va + 1, W));
      stage.see('locker reads', F, () => locker.load8(va + 1));
      stage.step('child ends', () => {
        child.sys.exit();
        stage.machine.run();
      });
      unlock(stage, locker, va);
      stage.see('locker reads', W, () => locker.load8(va));
    },
    expected: {
      wire: fine('§3.4: the locker’s pages stay where they are'),
      wiremax: fine('§3.4: the locker’s pages stay where they are'),
      targeted: fine('§3.4: the locker’s pages stay where they are'),
      forgetful: fine('§3.4: the locker’s pages stay where they are'),
    },
  },
  {
    id: 'limit',
    title: 'RLIMIT_MEMLOCK',
    sentence:
      'a process locks and unlocks two pages eight times, and then asks for more than it may',
    source: '§11.2, mlock: the limit is held against the pmap’s own count',
    play(stage) {
      const locker = stage.actor('locker');
      const { page } = stage;
      let va = 0;
      stage.step('locker may lock four pages', () => {
        locker.limits = { ...locker.limits, memlock: 4 * page };
        va = stage.must('mmap', locker.sys.mmap(0, 8 * page, RW, MAP_ANON | MAP_PRIVATE));
      });
      stage.step('locker locks and unlocks two pages eight times', () => {
        let refused = 0;
        for (let round = 0; round < 8; round++) {
          if (locker.sys.mlock(va, 2 * page).error !== 0) refused++;
          else locker.sys.munlock(va, 2 * page);
        }
        stage.seeCount('refused, of eight', 0, () => refused);
      });
      stage.step('locker locks three pages, and then asks for two more', () => {
        stage.seeCount('three pages', 'ok', () => told(locker.sys.mlock(va, 3 * page)));
        const more = va + 4 * page;
        stage.seeCount('two more', 'EAGAIN', () => told(locker.sys.mlock(more, 2 * page)));
      });
    },
    expected: {
      wire: limitHolds(),
      wiremax: limitHolds(),
      targeted: fine(`${OWN_COUNT}; §13.3 leaves it open`),
      forgetful: fine(`${OWN_COUNT}: §13.4, 5`),
    },
  },
];

function unwiresUnwired(): ReturnType<typeof fine> {
  const why = 'H9: the device entered it unwired; §C: pmap_unwire of what is not wired';
  const silent = ['sun4c', 'srmmu', 'oea', 'ibm4xx'];
  return except(complains('pmap_unwire: wiring for pmap', `${why} prints`), silent, {
    kind: 'fine',
    words: '',
    because: `${why} says nothing`,
  });
}

/** What the pmap counts decides. */
function limitHolds(): ReturnType<typeof fine> {
  const sparc = miscounts('pmap-sparc §C: wired_count goes up with every enter and not down');
  const oea = miscounts('pmap-powerpc §C: wired_count starts at 0 and goes down only');
  const ibm4xx = miscounts('pmap-powerpc §C: nothing is counted, so every request stands alone');
  const counted = fine('pmap-i386, pmap-alpha §C: wired_count is the number of wired mappings');
  return except(
    except(except(counted, ['sun4c', 'srmmu'], sparc), ['oea'], oea),
    ['ibm4xx'],
    ibm4xx,
  );
}
