import { Random } from '@uvmkit/machine';
import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { ibm4xx, oea } from '@uvmkit/pmap-powerpc';
import { sv32, sv39 } from '@uvmkit/pmap-riscv';
import { srmmu, sun4c } from '@uvmkit/pmap-sparc';
import { expect, test } from 'vitest';
import { replayRecording } from '../src/index.ts';
import { openLines, SMALL_IMAGE } from './recordings.ts';

const PORTS = { i386, alpha, sun4c, srmmu, oea, ibm4xx, sv32, sv39 };
/** Where mappings come and go, recorded pages. */
const FIRST = 0x300;
const PAGES = 24;

/** A made-up life of a few processes: mappings, forks and references in any order. */
function randomLife(seed: number, steps: number): string[] {
  const random = new Random(seed);
  const lines = [...SMALL_IMAGE, 'S openat -100 0x102000"/f" 2 = 3'];
  const alive = [100];
  let next = 200;
  let brk = 0x105;
  const hex = (value: number): string => `0x${value.toString(16)}`;
  const range = (): { at: string; length: string } => {
    const start = random.below(PAGES);
    return {
      at: hex((FIRST + start) * 4096),
      length: hex((1 + random.below(Math.min(6, PAGES - start))) * 4096),
    };
  };
  const references = (): void => {
    for (let i = 0; i < 12; i++) {
      const page =
        random.below(4) === 0
          ? [0x102, 0x103, 0x104, 0xbefff, 0xbeffd][random.below(5)]!
          : FIRST + random.below(PAGES);
      lines.push(`${'RWUX'[random.below(4)]} ${page.toString(16)}`);
    }
  };
  for (let step = 0; step < steps; step++) {
    const { at, length } = range();
    const prot = [1, 3, 3, 3, 5, 7, 0][random.below(7)]!;
    switch (random.below(16)) {
      case 0:
      case 1:
        lines.push(`S mmap ${at} ${length} ${prot} 50 -1 0 = ${at}`);
        break;
      case 2:
        lines.push(`S mmap ${at} ${length} ${prot} 49 -1 0 = ${at}`);
        break;
      case 3:
        lines.push(`S mmap ${at} ${length} ${prot} 18 3 ${hex(random.below(8) * 4096)} = ${at}`);
        break;
      case 4:
        lines.push(`S mmap ${at} ${length} ${prot} 17 3 ${hex(random.below(8) * 4096)} = ${at}`);
        break;
      case 5:
        lines.push(`S munmap ${at} ${length} = 0`);
        break;
      case 6:
        lines.push(`S mprotect ${at} ${length} ${prot} = 0`);
        break;
      case 7:
        lines.push(`S madvise ${at} ${length} ${random.below(5)} = 0`);
        break;
      case 8:
        brk = 0x104 + random.below(12);
        lines.push(`S brk ${hex(brk * 4096)} = ${hex(brk * 4096)}`);
        break;
      case 9:
        if (alive.length >= 4) break;
        lines.push(`S fork  = ${next}`);
        alive.push(next++);
        break;
      case 10:
        lines.push(
          `S pwrite64 3 ${hex(0x102000 + random.below(512))} ${1 + random.below(4096)} ${hex(random.below(0x8000))} = ${1 + random.below(4096)}`,
        );
        break;
      case 11:
        lines.push(
          `S pread64 3 ${hex((FIRST + random.below(PAGES - 2)) * 4096 + random.below(4096))} 4096 ${hex(random.below(0x4000))} = ${1 + random.below(4096)}`,
        );
        break;
      case 12:
        lines.push(
          `S getrandom ${hex((FIRST + random.below(PAGES - 2)) * 4096 + random.below(4096))} 4096 0 = ${1 + random.below(4096)}`,
        );
        break;
      case 13:
        if (alive.length < 2) break;
        lines.push('S exit_group 0 = 0', `P ${alive[alive[0] === pidOf(lines) ? 1 : 0]} 1`);
        alive.splice(alive.indexOf(exitedIn(lines)), 1);
        break;
      default:
        lines.push(`P ${alive[random.below(alive.length)]} 1`);
    }
    references();
  }
  return lines;
}

function pidOf(lines: readonly string[]): number {
  return Number(lines.findLast((line) => line.startsWith('P '))!.split(' ')[1]);
}

/** The process of the last P line but one: the one whose exit was written last. */
function exitedIn(lines: readonly string[]): number {
  return Number(
    lines
      .slice(0, -1)
      .findLast((line) => line.startsWith('P '))!
      .split(' ')[1],
  );
}

test.each(Object.keys(PORTS) as (keyof typeof PORTS)[])(
  'made-up lives of processes read what they should on %s',
  async (name) => {
    for (let seed = 1; seed <= 12; seed++) {
      const opened = await openLines(randomLife(seed, 120));
      const { mismatches, stopped, work } = await replayRecording(opened, {
        port: PORTS[name](),
        memory: 32 << 20,
        countUnmapped: true,
        seed,
      });
      expect({ seed, mismatches, stopped }).toEqual({ seed, mismatches: [], stopped: null });
      expect(work.records).toBeGreaterThan(1000);
    }
  },
);
