import { Random } from '@uvmkit/machine';
import { i386 } from '@uvmkit/pmap-i386';
import { expect, test } from 'vitest';
import {
  openRecording,
  PlacementError,
  readLackey,
  readLackeyMaps,
  readVmtrace,
  type RecordingSource,
  replayRecording,
  TraceError,
} from '../src/index.ts';
import { fixture, recordingText, SMALL_IMAGE } from './recordings.ts';
import { chunks, gunzipped, textOf } from './sources.ts';

const LIFE = recordingText([
  ...SMALL_IMAGE,
  'S openat -100 0x102000"/f" 2 = 3',
  'S mmap 0 0x4000 3 34 -1 0 = 0x300000',
  'W 300 3',
  'S mmap 0 0x2000 3 1 3 0x1000 = 0x310000',
  'U 310',
  'S read 3 0x102010 100 = 100',
  'S pwrite64 3 0x300000 0x1000 0x9000 = 0x1000',
  'S mremap 0x300000 0x4000 0x8000 1 = 0x320000',
  'R 320',
  'S mprotect 0x320000 0x1000 1 = 0',
  'S mlock 0x320000 0x2000 = 0',
  'S madvise 0x321000 0x1000 4 = 0',
  'S brk 0x108000 = 0x108000',
  'S clone 0x1200011 0 0 0 0x102428 = 101',
  'P 101 1',
  'W 102',
  'S execve 0x102000"/bin/x" 0 0 = 0',
  'I 100000 102000 r-x file /bin/x 0',
  'I befff000 bf000000 rw- stack limit bef00000',
  'X 100',
  'S ftruncate64 3 0x2000 0 = 0',
  'S exit_group 0 = 0',
  'P 100 1',
  'S wait4 101 0xbefff010 0 0 = 101',
  'S munmap 0x310000 0x2000 = 0',
]);

/** The text with a few characters changed, and sometimes a line left out or twice there. */
function spoil(text: string, random: Random): string {
  const lines = text.split('\n');
  for (let times = 1 + random.below(3); times > 0; times--) {
    const at = random.below(lines.length);
    const line = lines[at]!;
    const column = random.below(line.length + 1);
    const digit = '0123456789abcdefPSXRWUI -"=#'[random.below(28)]!;
    switch (random.below(5)) {
      case 0:
        lines.splice(at, 1);
        break;
      case 1:
        lines.splice(at, 0, line);
        break;
      case 2:
        lines[at] = line.slice(0, column) + digit + line.slice(column);
        break;
      default:
        lines[at] = line.slice(0, column) + digit + line.slice(column + 1);
    }
  }
  return lines.join('\n');
}

/** Reads and replays; says how it ended. Anything but a report or an error for the user goes through. */
async function outcome(source: RecordingSource): Promise<string> {
  try {
    const opened = await openRecording(source);
    const { ok } = await replayRecording(opened, {
      port: i386(),
      memory: 16 << 20,
      countUnmapped: true,
    });
    return ok ? 'held' : 'failed';
  } catch (error) {
    if (error instanceof TraceError || error instanceof PlacementError) return error.name;
    throw error;
  }
}

test('whatever is done to a recording, it is replayed or refused', async () => {
  const outcomes = new Map<string, number>();
  for (let seed = 1; seed <= 150; seed++) {
    // Totals that no longer agree would hide what is behind them.
    const text = spoil(LIFE, new Random(seed)).replace(/# end.*\n?/, '');
    const fixed = recordingText(
      text
        .split('\n')
        .slice(2)
        .filter((line) => line !== ''),
    );
    const result = await outcome({
      name: `seed ${seed}`,
      read: (place, handler) => readVmtrace(chunks(fixed), place, handler),
    });
    outcomes.set(result, (outcomes.get(result) ?? 0) + 1);
  }
  expect([...outcomes.keys()].toSorted()).toEqual(expect.arrayContaining(['TraceError', 'held']));
});

test('whatever is done to a raw log, it is replayed or refused', async () => {
  const log = (await textOf(gunzipped(fixture('locker.log.gz'))))
    .split('\n')
    .filter((line) => !/^(?:I | [LSM]) /.test(line));
  const maps = await textOf(gunzipped(fixture('locker.maps.gz')));
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const text = spoil(`${log.join('\n')}\n`, random);
    const images = (): ReturnType<typeof readLackeyMaps> =>
      readLackeyMaps(chunks(seed % 3 === 0 ? spoil(maps, new Random(seed)) : maps), 'maps');
    outcomes.add(
      await outcome({
        name: `seed ${seed}`,
        read: async (place, handler) =>
          readLackey(chunks(text), place, { images: await images() }, handler),
      }),
    );
  }
  expect(outcomes).toContain('held');
});
