import { EIO, type Port } from '@uvmkit/pmap';
import {
  MADV_FREE,
  MAP_ANON,
  MAP_PRIVATE,
  MAP_SHARED,
  MS_ASYNC,
  MS_INVALIDATE,
  MS_SYNC,
  type Sleeping,
} from '@uvmkit/uvm-core';
import { Machine } from '../src/machine.ts';
import { Random } from '../src/random.ts';
import type { Thread } from '../src/thread.ts';

const FILE_PAGES = 40;
const STEPS = 60;

/** What a storm leaves behind when every process has ended; all of it should be 0. */
export interface Wreckage {
  readonly pages: number;
  readonly wired: number;
  readonly amaps: number;
  readonly anons: number;
  readonly vnodeRefs: number;
  readonly sleepers: number;
  readonly processes: number;
}

/**
 * Threads of several processes that map, unmap, lock, fork, truncate, sync and touch the same memory and the
 * same file at once, with a disk that fails now and then. What they read is anybody's guess; that nothing panics,
 * hangs or leaks is not.
 *
 * @param kind `locking` locks memory, `discarding` throws it away under whoever uses it. Both at once panic on every
 * port, as they did in 2001: discarding takes no heed of locks (hazards H2, H3 and H6 of the wiring problem)
 */
export function storm(
  port: Port,
  seed: number,
  cpus: number,
  kind: 'locking' | 'discarding',
): Wreckage {
  const machine = new Machine({ port, memory: 32 << 20, seed, cpus, blockSize: 4096 });
  const random = new Random(seed);
  const page = port.layout.pageSize;
  machine.fs.create('f', new Uint8Array(FILE_PAGES * page).fill(1));
  const { free, nfreeanon } = machine.uvm.exp;
  machine.disk.failure = () => (random.below(40) === 0 ? EIO : 0);

  /** Does one thing to one of the ranges that all threads of a process know. */
  function* act(t: Thread, ranges: number[], fd: number): Sleeping<void> {
    const va = (ranges[random.below(Math.max(1, ranges.length))] ?? 0) + random.below(4) * page;
    const length = (1 + random.below(4)) * page;
    switch (random.below(14)) {
      case 0: {
        const flags = MAP_ANON | (random.below(2) === 0 ? MAP_SHARED : MAP_PRIVATE);
        ranges.push((yield* t.mmap(0, 8 * page, 3, flags)).value);
        break;
      }
      case 1: {
        const flags = random.below(2) === 0 ? MAP_SHARED : MAP_PRIVATE;
        const offset = random.below(FILE_PAGES - 8) * page;
        ranges.push((yield* t.mmap(0, 8 * page, 3, flags, fd, offset)).value);
        break;
      }
      case 2:
        yield* t.munmap(va, length);
        break;
      case 3:
        if (kind === 'locking') yield* t.mlock(va, length);
        else yield* t.msync(va, length, MS_SYNC | MS_INVALIDATE);
        break;
      case 4:
        if (kind === 'locking') yield* t.munlock(va, length);
        else yield* t.madvise(va, length, MADV_FREE);
        break;
      case 5:
        yield* t.mprotect(
          va,
          length,
          kind === 'locking' ? 1 + 2 * random.below(2) : random.below(4),
        );
        break;
      case 6:
        yield* t.msync(va, length, random.below(2) === 0 ? MS_SYNC : MS_ASYNC);
        break;
      case 7:
        yield* t.madvise(va, length, random.below(5));
        break;
      case 8:
        yield* t.pread(fd, va, length, random.below(FILE_PAGES) * page + 100);
        break;
      case 9:
        yield* t.pwrite(fd, va, length, random.below(FILE_PAGES) * page + 100);
        break;
      case 10:
        if (kind === 'discarding' && random.below(4) === 0)
          yield* t.ftruncate(fd, random.below(FILE_PAGES * page));
        break;
      case 11:
        if (random.below(4) === 0 && machine.processes.size < 8) {
          const known = [...ranges];
          yield* t.fork((child) => actor(child, known, fd));
        }
        break;
      default:
        for (let i = 0; i < 4; i++) {
          if (random.below(2) === 0) yield* t.store8(va + i * page, i);
          else yield* t.load8(va + i * page);
        }
    }
  }

  /** Acts for a while; signals are shrugged off, as a handler would. */
  function* actor(t: Thread, ranges: number[], fd: number): Sleeping<void> {
    for (let step = 0; step < STEPS; step++) {
      try {
        yield* act(t, ranges, fd);
      } catch (error) {
        if (!(error instanceof Error) || error.name !== 'ProcessSignal') throw error;
      }
    }
    if (random.below(2) === 0) yield* t.exit(0);
  }

  for (let n = 0; n < 3; n++) {
    const process = machine.spawn();
    const { value: fd } = process.sys.open('f', 2);
    const ranges: number[] = [];
    for (let thread = 0; thread < 2; thread++) machine.start(process, (t) => actor(t, ranges, fd));
  }
  machine.run();
  for (const process of [...machine.processes.values()])
    if (process.state === 'running') process.sys.exit();
  machine.run();
  const { exp, amaps } = machine.uvm;
  const { vnode } = machine.fs.lookup('f')!;
  return {
    pages: free - exp.free - vnode.npages,
    wired: exp.wired,
    amaps: amaps.size,
    anons: nfreeanon - exp.nfreeanon,
    vnodeRefs: vnode.refs,
    // The page daemon always sleeps.
    sleepers: [...machine.scheduler.channels()].length - 1,
    processes: machine.processes.size,
  };
}
