import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readVmtrace, TraceError, TracePlace, VmtraceWriter } from '../src/index.ts';
import { openLines, recordingText, SMALL_IMAGE } from './recordings.ts';
import { fixture } from './recordings.ts';
import { chunks, gunzipped, textOf } from './sources.ts';

async function rewritten(source: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  await readVmtrace(source, new TracePlace('t'), new VmtraceWriter((part) => (text += part)));
  return text;
}

async function errorOf(text: string): Promise<TraceError> {
  const reading = rewritten(chunks(text));
  const error: unknown = await reading.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof TraceError)) throw new TypeError(`no TraceError but ${String(error)}`);
  return error;
}

describe('the page-level format', () => {
  test.each(['forkcow', 'locker', 'mapfiles', 'stackheap'])(
    'is written as it was read: %s',
    async (name) => {
      const text = await textOf(gunzipped(fixture(`${name}.vmt.gz`)));
      expect((await rewritten(gunzipped(fixture(`${name}.vmt.gz`)))) === text).toBe(true);
    },
  );

  test('reads the same however its bytes are cut into chunks', async () => {
    const text = recordingText([
      ...SMALL_IMAGE,
      'X 100 3',
      'S openat -100 0x102000"/a b/c" 0 = 3',
      'U 102',
      'W befff 12',
    ]);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60 }), async (size) => {
        expect(await rewritten(chunks(text, size))).toBe(text);
      }),
      { seed: 7, numRuns: 30 },
    );
  });

  test('may lack the newline of its last line', async () => {
    const text = recordingText([...SMALL_IMAGE, 'X 100']);
    expect(await rewritten(chunks(text.trimEnd()))).toBe(text);
  });
});

describe('a broken recording ends with the line, what was expected and what was found', () => {
  const image = SMALL_IMAGE.join('\n');
  const start = '# vmtrace 1\n# name t\n';
  test.each([
    ['nothing at all', '', 1, /"# vmtrace 1".*empty file/],
    ['another format', 'hello\n', 1, /"# vmtrace 1".*"hello"/],
    ['binary', '\u0000\u0001\u0080\n', 1, /"# vmtrace 1".*\\u0000\\u0001\\u0080/],
    ['an end that is missing', `${start}${image}\nX 100\n`, 9, /"# end …".*cut short/],
    ['a reference before any process', `${start}X 100\n`, 3, /"P pid tid" line before/],
    ['a page that is no number', `${start}${image}\nX xyz\n`, 8, /"X page \[count\]".*"X xyz"/],
    ['a page in upper case', `${start}${image}\nX ABC\n`, 8, /"X page \[count\]"/],
    [
      'a page beyond every address space',
      `${start}${image}\nR fffffffffffff\n`,
      8,
      /page below 800000000/,
    ],
    ['a page of a thousand digits', `${start}${image}\nR ${'f'.repeat(1000)}\n`, 8, /page below/],
    ['a count of zero', `${start}${image}\nW 102 0\n`, 8, /count from 1 to/],
    [
      'a count beyond reason',
      `${start}${image}\nW 102 99999999999999999999\n`,
      8,
      /count from 1 to/,
    ],
    ['more after the count', `${start}${image}\nW 102 1 1\n`, 8, /"W page \[count\]"/],
    ['a carriage return', `${start}${image}\r\n`, 7, /the limit of the stack|end of the line/],
    ['an unknown line', `${start}${image}\nZ 1\n`, 8, /begins with X, R, W, U, S, P, I or #/],
    ['a blank line', `${start}${image}\n\nX 100\n`, 8, /begins with X/],
    [
      'a line of a megabyte',
      `${start}${'x'.repeat(1 << 20)}\n`,
      3,
      /a line of at most 65536 bytes|P pid tid/,
    ],
    ['a bad process number', `${start}P 99999999999 1\n`, 3, /numbers below 2147483648/],
    [
      'a region that ends before it starts',
      `${start}P 1 1\nI 2000 1000 r-x anon\n`,
      4,
      /beyond its start 2000, found 1000/,
    ],
    ['a region off page bounds', `${start}P 1 1\nI 2001 3000 r-x anon\n`, 4, /multiple of 1000/],
    [
      'a region of a terabyte',
      `${start}P 1 1\nI 1000 10000001000 rw- anon\n`,
      4,
      /at most 1048576 pages/,
    ],
    [
      'a strange protection',
      `${start}P 1 1\nI 1000 2000 rxw anon\n`,
      4,
      /a protection such as r-x, found "rxw"/,
    ],
    [
      'a strange region',
      `${start}P 1 1\nI 1000 2000 r-x pipe\n`,
      4,
      /file, anon, brk, stack or tool, found "pipe"/,
    ],
    [
      'a file without an offset',
      `${start}P 1 1\nI 1000 2000 r-x file /bin/x\n`,
      4,
      /file PATH OFFSET/,
    ],
    [
      'a file of terabytes',
      `${start}P 1 1\nI 1000 2000 r-x file /x 999999995904\n`,
      4,
      /at most 2147483648 bytes/,
    ],
    [
      'a heap limit inside the heap',
      `${start}P 1 1\nI 1000 3000 rwx brk limit 2000\n`,
      4,
      /limit of at least 3000/,
    ],
    [
      'a stack limit above the stack',
      `${start}P 1 1\nI 1000 3000 rw- stack limit 2000\n`,
      4,
      /limit of at most 1000/,
    ],
    ['a call without a result', `${start}${image}\nS brk 0\n`, 8, /NAME ARGUMENTS = RESULT/],
    [
      'a result that is no number',
      `${start}${image}\nS brk 0 = many\n`,
      8,
      /result as a number or -/,
    ],
    [
      'an argument with an open string',
      `${start}${image}\nS open 0x10"abc 0 = 3\n`,
      8,
      /an argument/,
    ],
    [
      'seventeen arguments',
      `${start}${image}\nS f ${'0 '.repeat(17).trim()} = 0\n`,
      8,
      /at most 16 arguments/,
    ],
    ['a header line too late', `${start}${image}\n# name x\n`, 8, /only before the first P/],
    [
      'totals that do not agree',
      `${start}${image}\nX 100\n# end refs 2 records 1 syscalls 0 processes 1\n`,
      9,
      /refs 1 records 1 syscalls 0 processes 1/,
    ],
    ['totals that are none', `${start}${image}\n# end of it\n`, 8, /"# end refs N/],
    [
      'lines after the end',
      `${recordingText([...SMALL_IMAGE, 'X 100'])}X 100\n`,
      10,
      /the end of the file/,
    ],
  ])('%s', async (_what, text, line, message) => {
    const error = await errorOf(text);
    expect(error.line).toBe(line);
    expect(error.message).toMatch(message);
    expect(error.message.length).toBeLessThan(400);
  });
});

describe('a recording that contradicts itself', () => {
  test.each([
    [
      'regions that overlap',
      ['P 1 1', 'I 1000 3000 r-x anon', 'I 2000 4000 rw- anon', 'X 1'],
      /regions that do not overlap/,
    ],
    ['an image with no regions', ['P 1 1', 'X 1'], /I lines with the regions of process 1/],
    [
      'a region after the image',
      [...SMALL_IMAGE, 'X 100', 'I 300000 301000 rw- anon'],
      /I lines only where a process image starts/,
    ],
    [
      'a process that goes on after its exit',
      [...SMALL_IMAGE, 'S exit_group 0 = 0', 'P 101 1', 'I 1000 2000 r-- anon', 'R 1', 'P 100 1'],
      /a process that has not exited, found process 100/,
    ],
    [
      'a fork of someone alive',
      [...SMALL_IMAGE, 'S fork  = 100'],
      /a fork whose child is a new process/,
    ],
    [
      'a brk without a heap',
      ['P 1 1', 'I 1000 2000 r-- anon', 'S brk 0x5000 = 0x5000'],
      /a brk region in the image/,
    ],
    [
      'two stacks at different places',
      [...SMALL_IMAGE, 'P 101 1', 'I a0000000 a0001000 rw- stack limit 90000000', 'R a0000'],
      /every stack at/,
    ],
    [
      'an mmap over the stack',
      [...SMALL_IMAGE, 'S mmap 0xbef00000 0x1000 3 50 -1 0 = 0xbef00000'],
      /mappings outside of the room for the stack/,
    ],
    [
      'an mmap of terabytes',
      [...SMALL_IMAGE, 'S mmap 0 0x10000000000 3 34 -1 0 = 0x40000000'],
      /at most 1048576 pages/,
    ],
    [
      'a mapping past every address',
      [...SMALL_IMAGE, 'S munmap 0xfffffffffffff000 0x1000 = 0'],
      /inside the address space/,
    ],
    [
      'an argument that is missing',
      [...SMALL_IMAGE, 'S munmap 0x1000 = 0'],
      /a number as argument 2 of munmap, found none/,
    ],
    [
      'a buffer of terabytes',
      [...SMALL_IMAGE, 'S getrandom 0x102000 0 0 = 0x10000000000'],
      /a buffer inside the address space/,
    ],
    [
      'an mremap of nothing',
      [...SMALL_IMAGE, 'S mremap 0x700000 0x1000 0x2000 1 = 0x800000'],
      /an mremap of something mapped/,
    ],
  ])('%s', async (_what, lines, message) => {
    await expect(openLines(lines)).rejects.toThrow(message);
  });

  test('more is mapped than any machine has, a step at a time', async () => {
    const lines = Array.from(
      { length: 20 },
      (_, i) => `S mmap 0 0xfffff000 3 34 -1 0 = 0x${(0x1_0000_0000 * (i + 2)).toString(16)}`,
    );
    await expect(openLines([...SMALL_IMAGE, ...lines])).rejects.toThrow(
      /at most 16777216 pages mapped/,
    );
  });
});
