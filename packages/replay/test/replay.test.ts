import type { Machine } from '@uvmkit/machine';
import { NO_PA } from '@uvmkit/pmap';
import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { ibm4xx, oea } from '@uvmkit/pmap-powerpc';
import { sv32, sv39 } from '@uvmkit/pmap-riscv';
import { srmmu, sun4c } from '@uvmkit/pmap-sparc';
import { describe, expect, test } from 'vitest';
import { type ReplayOptions, replayRecording, type ReplayReport } from '../src/index.ts';
import { openFixture, openLines, SMALL_IMAGE } from './recordings.ts';

const PORTS = { i386, alpha, sun4c, srmmu, oea, ibm4xx, sv32, sv39 };
const NAMES = Object.keys(PORTS) as (keyof typeof PORTS)[];
/** Enough for the small recordings, and soon booted. */
const MEMORY = 16 << 20;

async function replay(
  lines: readonly string[],
  options: Partial<ReplayOptions> = {},
): Promise<ReplayReport> {
  return replayRecording(await openLines([...SMALL_IMAGE, ...lines]), {
    port: i386(),
    memory: MEMORY,
    ...options,
  });
}

/** So many references of one kind to one page. Records are accesses, and each goes to another place. */
function often(kind: string, page: number, times = 40): string[] {
  return Array.from({ length: times }, () => `${kind} ${page.toString(16)}`);
}

function expectHeld(report: ReplayReport): void {
  expect({ mismatches: report.mismatches, stopped: report.stopped }).toEqual({
    mismatches: [],
    stopped: null,
  });
  expect(report.ok).toBe(true);
}

describe('recorded programs', () => {
  test.each([
    ['forkcow', 223_789, 130_761, 1],
    ['locker', 189_836, 109_782, 1],
    ['mapfiles', 233_164, 152_256, 1],
    ['stackheap', 344_182, 226_982, 130],
  ])('%s reads what it should on the i386', async (name, references, records, growth) => {
    const report = await replayRecording(await openFixture(name), { port: i386() });
    expectHeld(report);
    expect(report.work).toMatchObject({ references, records, stackGrowth: growth });
    // The i386 settles none itself: each trap, the kernel's at file windows too, went to uvm_fault.
    expect(report.faults).toMatchObject({ traps: report.mmu.faults, settledByPmap: 0 });
    expect(report.unsupported).toEqual({});
  });

  test.each(NAMES.filter((name) => name !== 'i386'))(
    'forkcow reads what it should on %s, with the same work done',
    async (name) => {
      const opened = await openFixture('forkcow');
      const report = await replayRecording(opened, { port: PORTS[name]() });
      expectHeld(report);
      const { work, memory } = await replayRecording(opened, { port: i386() });
      expect(report.work).toEqual(work);
      expect(report.memory.cowCopies).toBe(memory.cowCopies);
    },
  );

  test('come out the same from the same seed', async () => {
    const opened = await openFixture('forkcow');
    const reports = [
      await replayRecording(opened, { port: i386(), seed: 5 }),
      await replayRecording(opened, { port: i386(), seed: 5 }),
    ];
    expect(reports[0]).toEqual(reports[1]);
  });

  test('fault more often without neighbours', async () => {
    const opened = await openFixture('forkcow');
    const ahead = await replayRecording(opened, { port: i386() });
    const alone = await replayRecording(opened, { port: i386(), faultAhead: false });
    expectHeld(alone);
    expect(alone.faults.uvmFaults).toBeGreaterThan(ahead.faults.uvmFaults);
    expect(alone.faults.mapped).toEqual({ neighbourAnons: 0, neighbourPages: 0 });
  });
});

describe('a planted bug is seen:', () => {
  /** Lets `spoil` loose when the machine has finished a system call of the recording's. */
  function afterCall(spoil: (machine: Machine) => void): Partial<ReplayOptions> {
    return {
      prepare(machine) {
        machine.events.watch((name, _pid, number) => {
          if (name === 'proc.syscall' && number === MADVISE) spoil(machine);
        });
      },
    };
  }
  const MADVISE = 75;

  test('one byte of memory changes', async () => {
    const lines = [...often('W', 0x102), 'S madvise 0x102000 0x1000 0 = 0', ...often('R', 0x102)];
    expectHeld(await replay(lines));
    const report = await replay(
      lines,
      afterCall((machine) => {
        const [process] = machine.processes.values();
        const pa = machine.uvm.pmap.extract(process!.space.pmap, 0x102000);
        expect(pa).not.toBe(NO_PA);
        // One byte of each word that was stored to would be caught at its first load; one byte of one word must be too.
        const word = machine.memory.bytes.subarray(pa, pa + 4096).findIndex((byte) => byte !== 0);
        machine.memory.bytes[pa + word]! ^= 1;
        for (let at = 0; at < 4096; at += 256)
          machine.memory.bytes[pa + at + ((at / 256) % 256)]! ^= 0x80;
        machine.memory.bytes
          .subarray(pa, pa + 4096)
          .forEach((_, i, page) => (page[i]! ^= i % 4 === 0 ? 1 : 0));
      }),
    );
    expect(report.ok).toBe(false);
    expect(report.mismatches[0]).toMatchObject({
      kind: 'value',
      pid: 100,
      text: expect.stringMatching(
        /^load at 0x00102[0-9a-f]{3} reads 0x[0-9a-f]+, should read 0x[0-9a-f]+$/,
      ) as string,
    });
  });

  test.each([
    [
      'a copy on write copies nothing',
      (machine: Machine): void => {
        machine.uvm.copyPage = () => {};
      },
    ],
    [
      'fork leaves the parent its rights to store',
      (machine: Machine): void => {
        machine.uvm.pmap.protect = () => {};
      },
    ],
    [
      'new pages are not zero',
      (machine: Machine): void => {
        machine.uvm.pmap.zeroPage = (pa) => machine.memory.bytes.fill(0xaa, pa, pa + 4096);
      },
    ],
  ])('%s', async (_what, plant) => {
    const lines = [
      ...often('W', 0x102),
      'S mmap 0 0x4000 3 34 -1 0 = 0x300000',
      ...often('W', 0x300),
      ...often('R', 0x302),
      'S fork  = 101',
      'W 300',
      ...often('R', 0x300),
      'P 101 1',
      ...often('R', 0x300),
      ...often('R', 0x102),
    ];
    expectHeld(await replay(lines));
    const report = await replay(lines, { prepare: plant });
    expect(report.ok).toBe(false);
    expect(report.mismatchCount).toBeGreaterThan(0);
  });

  test('a panic ends the replay and is told', async () => {
    const report = await replay(['S madvise 0x102000 0x1000 0 = 0', 'R 102', 'R 103'], {
      prepare(machine) {
        machine.uvm.pmap.enter = () => {
          throw machine.stopAt(new RangeError('never'));
        };
      },
    }).catch((error: unknown) => error);
    // Not a panic but a bug of the port's: it is not swallowed.
    expect(report).toBeInstanceOf(RangeError);
  });
});

describe('what Linux means', () => {
  test('a private mapping of a file follows the file until it is stored to', async () => {
    const lines = [
      'S openat -100 0x102000"/f" 2 = 3',
      'S mmap 0 0x2000 3 1 3 0 = 0x300000',
      'S mmap 0 0x2000 3 2 3 0 = 0x310000',
      ...often('R', 0x310),
      ...often('W', 0x300),
      ...often('R', 0x310),
      ...often('W', 0x310),
      ...often('W', 0x300),
      ...often('R', 0x310),
      'S close 3 = 0',
      ...often('R', 0x301),
    ];
    expectHeld(await replay(lines));
  });

  test('write(2) and read(2) go through what is mapped', async () => {
    const lines = [
      ...often('W', 0x102),
      ...often('W', 0x103),
      'S openat -100 0x102000"/f" 578 384 = 3',
      'S write 3 0x102060 0x1000 = 0x1000',
      'S write 3 0x102010 0xff0 = 0xff0',
      'S mmap 0 0x2000 3 1 3 0 = 0x300000',
      ...often('R', 0x300),
      ...often('R', 0x301),
      ...often('W', 0x300),
      'S pread64 3 0x103000 100 0 = 100',
      ...often('R', 0x103),
      'S pwrite64 3 0x300000 0x1000 0x1000 = 0x1000',
      ...often('R', 0x301),
    ];
    const report = await replay(lines);
    expectHeld(report);
    expect(report.work.kernelBytesWritten).toBe(100);
    expect(report.work.kernelBytesRead).toBeGreaterThanOrEqual(0x1000 + 0xff0 + 0x1000);
  });

  test('MADV_DONTNEED gives private pages up: zeroes, or the file again', async () => {
    const lines = [
      'S mmap 0 0x2000 3 34 -1 0 = 0x300000',
      ...often('W', 0x300),
      ...often('W', 0x102),
      'S madvise 0x300000 0x1000 4 = 0',
      'S madvise 0x102000 0x1000 4 = 0',
      ...often('R', 0x300),
      ...often('R', 0x102),
    ];
    const report = await replay(lines);
    expectHeld(report);
    expect(Object.keys(report.differences)).toEqual([
      expect.stringContaining('MADV_DONTNEED') as string,
    ]);
  });

  test('mremap carries contents: grown in place, moved, shrunk', async () => {
    const lines = [
      'S mmap 0 0x2000 3 34 -1 0 = 0x300000',
      ...often('W', 0x300),
      'S mremap 0x300000 0x2000 0x4000 1 = 0x300000',
      ...often('R', 0x300),
      ...often('W', 0x303),
      'S mremap 0x300000 0x4000 0x6000 1 = 0x320000',
      ...often('R', 0x320),
      ...often('R', 0x321),
      ...often('R', 0x323),
      ...often('W', 0x325),
      'S mremap 0x320000 0x6000 0x1000 0 = 0x320000',
      ...often('R', 0x320),
    ];
    expectHeld(await replay(lines));
  });

  test('mremap of a mapped file moves the file, and private copies with it', async () => {
    const lines = [
      'S openat -100 0x102000"/f" 2 = 3',
      'S mmap 0 0x2000 3 2 3 0 = 0x300000',
      'S close 3 = 0',
      ...often('W', 0x300),
      'S mremap 0x300000 0x2000 0x2000 1 = 0x320000',
      ...often('R', 0x320),
      ...often('R', 0x321),
    ];
    expectHeld(await replay(lines));
  });

  test('a heap grows and shrinks, and is zero where it grows again', async () => {
    const lines = [
      ...often('W', 0x104),
      'S brk 0 = 0x104000',
      'S brk 0x108000 = 0x108000',
      ...often('R', 0x104),
      ...often('W', 0x107),
      'S brk 0x106000 = 0x106000',
      'S brk 0x108000 = 0x108000',
      ...often('R', 0x107),
      ...often('U', 0x105),
    ];
    expectHeld(await replay(lines));
  });

  test('a fork, a store by either side, an execve, an exit, a wait', async () => {
    const lines = [
      ...often('W', 0x102),
      'S clone 0x1200011 0 0 0 0x103428 = 101',
      'P 101 1',
      ...often('R', 0x102),
      ...often('U', 0x102),
      'S execve 0x102000"/bin/other" 0 0 = 0',
      'I 100000 102000 r-x file /bin/other 0',
      'I befff000 bf000000 rw- stack limit bef00000',
      ...often('X', 0x100),
      ...often('W', 0xbefff),
      'S exit_group 0 = 0',
      'P 100 1',
      'S wait4 101 0xbefff010 0 0 = 101',
      ...often('R', 0x102),
      ...often('R', 0xbefff),
    ];
    const report = await replay(lines);
    expectHeld(report);
    expect(report.work.processes).toBe(2);
    expect(report.memory.peakProcesses).toBe(2);
  });

  test('a child that a signal killed ends when it is waited for', async () => {
    const lines = [
      'S fork  = 101',
      'P 101 1',
      ...often('W', 0x102),
      'P 100 1',
      'S wait4 101 0 0 0 = 101',
      ...often('R', 0x102),
    ];
    expectHeld(await replay(lines));
  });

  test('threads share everything, and the last one ends the process', async () => {
    const lines = [
      'S mmap 0 0x2000 3 34 -1 0 = 0x300000',
      'S clone 0x3d0f00 0x301000 0x300ba8 0 0x300ba8 = 7',
      'P 100 2',
      ...often('W', 0x300),
      'S exit 0 = 0',
      'P 100 1',
      ...often('R', 0x300),
      'S exit 0 = 0',
    ];
    expectHeld(await replay(lines));
  });

  test('mprotect to nothing of locked memory is gone round, or taken as it stands', async () => {
    const lines = [
      'S mlockall 3 = 0',
      'S mmap 0 0x2000 3 34 -1 0 = 0x300000',
      'S mprotect 0x300000 0x1000 0 = 0',
      'S mprotect 0x300000 0x1000 3 = 0',
      'S munlockall  = 0',
      ...often('R', 0x300),
    ];
    const round = await replay(lines);
    expectHeld(round);
    expect(Object.keys(round.differences)).toHaveLength(1);
    const straight = await replay(lines, { hazards: true });
    expect(straight.ok).toBe(false);
    expect(straight.stopped).toMatch(/unwiring non-wired memory/);
  });

  test('several recorded pages lie in one larger page where that does no harm', async () => {
    const lines = [
      'P 100 1',
      'I 100000 104000 r-x file /bin/t 0',
      'I 104000 108000 rw- file /bin/t 16384',
      'I 108000 109000 rwx brk limit 200000',
      'I befff000 bf000000 rw- stack limit bef00000',
      'S brk 0x10b000 = 0x10b000',
      'S mmap 0 0x3000 3 34 -1 0 = 0x300000',
      ...[0x100, 0x101, 0x102].flatMap((page) => often('X', page)),
      ...[0x105, 0x106, 0x109, 0x10a, 0x300, 0x302, 0xbefff, 0xbeffe].flatMap((page) =>
        often('U', page),
      ),
      'S getrandom 0x300ff0 0x1020 0 = 0x1020',
      ...[0x300, 0x301, 0x302].flatMap((page) => often('R', page)),
      'S brk 0x108000 = 0x108000',
      'S fork  = 101',
      ...often('U', 0x105),
      'P 101 1',
      ...often('R', 0x105),
      ...often('R', 0x106),
    ];
    for (const port of [alpha(), ibm4xx()]) {
      const report = await replayRecording(await openLines(lines), { port });
      expectHeld(report);
      expect(report.layout).toMatchObject({ bytesPerRecordedPage: 4096, spread: null });
    }
  });
});

describe('what a recording cannot support', () => {
  test('is named and counted where the right is missing', async () => {
    const report = await replay(['W 100 3', 'X 102', 'W 100 2', 'S getrandom 0x100010 16 0 = 16']);
    expect(report.ok).toBe(true);
    expect(report.unsupported).toEqual({
      'store at 0x100000, mapped r-x': 5,
      'fetch at 0x102000, mapped rw-': 1,
      'write by the kernel at 0x100000, which the process may not make': 1,
    });
    // The u-area of the process is wired by faults; nothing else was.
    expect(report.faults.uvmFaults).toBe(report.faults.wiring);
  });

  test('is bad input where nothing is mapped, unless it is to be counted', async () => {
    await expect(replay(['R 100', 'R 500'])).rejects.toThrow(
      'test.vmt:9: expected a reference to a region of the process, found a load at 0x500000, where process 100 has nothing mapped',
    );
    const report = await replay(['R 100', 'R 500 2'], { countUnmapped: true });
    expect(report.ok).toBe(true);
    expect(report.unsupported).toEqual({ 'load at 0x500000, where nothing is mapped': 2 });
  });

  test('a machine that is too small says so', async () => {
    await expect(replay(['R 100'], { memory: 4096 })).rejects.toThrow(/wants \d+ bytes to boot/);
    const lines = [
      'S mmap 0 0x2000000 3 34 -1 0 = 0x1000000',
      ...Array.from({ length: 0x2000 }, (_, i) => `W ${(0x1000 + i).toString(16)}`),
    ];
    const report = await replay(lines);
    expect(report.ok).toBe(false);
    expect(report.stopped).not.toBeNull();
  });
});
