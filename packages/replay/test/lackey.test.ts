import { describe, expect, test } from 'vitest';
import { readLackey, readLackeyMaps, TracePlace, VmtraceWriter } from '../src/index.ts';
import { fixture } from './recordings.ts';
import { chunks, gunzipped, textOf } from './sources.ts';

const MAPS = [100, 101, 102]
  .map(
    (pid) => `--${pid}:1: aspacem <<< SHOW_SEGMENTS: Memory layout at client startup (4 segments)
--${pid}:1: aspacem 2 segment names in 2 slots
--${pid}:1: aspacem (0,4,9) /usr/libexec/valgrind/lackey-x86-linux
--${pid}:1: aspacem (1,47,7) /bin/test
--${pid}:1: aspacem   0: RSVN 0000000000-00000fffff 1048576 ----- SmFixed
--${pid}:1: aspacem   1: file 0000100000-0000101fff    8192 r-x-- d=0xfe00 i=1 o=0       (1,47)
--${pid}:1: aspacem   2: anon 0000102000-0000102fff    4096 rwx--
--${pid}:1: aspacem   3: RSVN 0000103000-00001fffff 1036288 ----- SmLower
--${pid}:1: aspacem   4: FILE 0058000000-0058000fff    4096 r---- d=0xfe00 i=2 o=0       (0,4)
--${pid}:1: aspacem   5: file 0058082000-0058082fff    4096 r-x-- d=0xfe00 i=2 o=532480  (0,4)
--${pid}:1: aspacem   6: RSVN 00bef00000-00beffefff 1044480 ----- SmUpper
--${pid}:1: aspacem   7: anon 00befff000-00beffffff    4096 rw---
--${pid}:1: aspacem >>>
`,
  )
  .join('');

const IMAGE = [
  'I 100000 102000 r-x file /bin/test 0',
  'I 102000 103000 rwx brk limit 200000',
  'I 58082000 58083000 r-x tool',
  'I befff000 bf000000 rw- stack limit bef00000',
];

/** What the importer makes of a log, without header and totals. */
async function imported(lines: readonly string[], window = 0): Promise<string[]> {
  let text = '';
  const images = await readLackeyMaps(chunks(MAPS), 'maps');
  const writer = new VmtraceWriter((part) => (text += part));
  await readLackey(
    chunks(`${lines.join('\n')}\n`),
    new TracePlace('log'),
    { images, window },
    writer,
  );
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

describe('raw logs become what the converter made of them', () => {
  test.each(['forkcow', 'locker', 'stackheap'])('%s', async (name) => {
    const want = await textOf(gunzipped(fixture(`${name}.vmt.gz`)));
    const header = (key: string): string => new RegExp(`^# ${key} (.*)$`, 'm').exec(want)![1]!;
    const images = await readLackeyMaps(gunzipped(fixture(`${name}.maps.gz`)), 'maps');
    let got = '';
    await readLackey(
      gunzipped(fixture(`${name}.log.gz`)),
      new TracePlace('log'),
      { images, name, command: header('command'), recorder: header('recorder') },
      new VmtraceWriter((part) => (got += part)),
    );
    // Not toBe: a difference of megabytes is no message.
    expect(got === want).toBe(true);
  });
});

describe('the importer copes with', () => {
  const start = '==100== Lackey, an example Valgrind tool';

  test('the four kinds of reference, and one that crosses pages', async () => {
    const lines = [
      start,
      'I  00100000,3',
      'I  00100003,2',
      ' L 00102ffe,4',
      ' S 00102000,4',
      ' M befff000,1',
      'SYSCALL[100,1](20) sys_getpid ()[sync] --> Success(0x64) ',
    ];
    expect(await imported(lines)).toEqual([
      'P 100 1',
      ...IMAGE,
      'X 100 2',
      'R 102',
      'R 103',
      'W 102',
      'U befff',
      'S getpid  = 100',
    ]);
  });

  test('windows: one record for each kind and page, closed by one page too many', async () => {
    const lines = [
      start,
      'I  00100000,1',
      ' L 00102000,4',
      'I  00100001,1',
      ' S 00102000,4',
      ' L befff000,4',
      'I  00100002,1',
      'SYSCALL[100,1](20) sys_getpid ()[sync] --> Success(0x64) ',
    ];
    expect((await imported(lines, 2)).slice(5)).toEqual([
      'X 100 2',
      'R 102',
      'W 102',
      'R befff',
      'X 100',
      'S getpid  = 100',
    ]);
  });

  test('results that come later, on a line of their own, or with a reference behind them', async () => {
    const lines = [
      start,
      'SYSCALL[100,1](3) sys_read ( 3, 0x102000, 16 ) --> [async] ... ',
      'SYSCALL[100,1](3) ... [async] --> Success(0x10) ',
      'SYSCALL[100,1](386) unimplemented (by the kernel) syscall: 386! (ni_syscall)',
      ' --> [pre-fail] Failure(0x26)',
      'SYSCALL[100,1](192) sys_mmap2 ( 0x0, 8192, 3, 34, 4294967295, 0 ) --> [pre-success] Success(0x400000) I  00100000,2',
      'SYSCALL[100,1](192) sys_mmap2 ( 0x500000, 4096, 5, 18, 3, 2 ) --> [pre-success] Success(0x500000) ',
    ];
    expect((await imported(lines)).slice(5)).toEqual([
      'S read 3 0x102000 16 = 16',
      'S unknown386  = -38',
      'S mmap 0 0x2000 3 34 -1 0 = 0x400000',
      'X 100',
      'S mmap 0x500000 0x1000 5 18 3 0x2000 = 0x500000',
    ]);
  });

  test('strings with commas, parentheses and blanks', async () => {
    const lines = [
      start,
      'SYSCALL[100,1](295) sys_openat ( -100, 0x102000(/a, b (c)/d), 557056 )[sync] --> Failure(0x2) ',
    ];
    expect((await imported(lines)).slice(5)).toEqual([
      'S openat -100 0x102000"/a, b (c)/d" 0x88000 = -2',
    ]);
  });

  test('fork: the call goes before what the child does, and is there once', async () => {
    const lines = [
      start,
      ' S 00102000,4',
      'SYSCALL[100,1](120) sys_clone ( 1200011, 0x0, 0x0, 0x0, 0x102428 )   clone(fork): process 100 created child 101',
      ' --> [pre-success] Success(0x65) ==101== error 2 No such file or directory',
      'SYSCALL[100,1](114) sys_wait4 ( 101, 0xbefff000, 0, 0x0 ) --> [async] ... ',
      ' --> [pre-success] Success(0x0) ',
      ' S 00102004,4',
      'SYSCALL[101,1](252) exit_group( 0 ) --> [pre-success] Success(0x0) ',
      'SYSCALL[100,1](114) ... [async] --> Success(0x65) ',
    ];
    expect((await imported(lines)).slice(5)).toEqual([
      'W 102',
      'S clone 0x1200011 0 0 0 0x102428 = 101',
      'P 101 1',
      'W 102',
      'S exit_group 0 = 0',
      'P 100 1',
      'S wait4 101 0xbefff000 0 0 = 101',
    ]);
  });

  test('vfork: the child comes back first and is known by its first call', async () => {
    const lines = [
      start,
      'SYSCALL[100,1](120) sys_clone ( 4111, 0xbefff000, 0x0, 0x0, 0x0 ) --> [pre-success] Success(0x0) ',
      ' S 00102000,4',
      'SYSCALL[102,1](20) sys_getpid ()[sync] --> Success(0x66) ',
      'SYSCALL[102,1](252) exit_group( 0 ) --> [pre-success] Success(0x0) ',
      ' --> [pre-success] Success(0x66) I  00100000,1',
      'SYSCALL[100,1](20) sys_getpid ()[sync] --> Success(0x64) ',
    ];
    expect((await imported(lines)).slice(5)).toEqual([
      'S clone 0x4111 0xbefff000 0 0 0 = 102',
      'P 102 1',
      'W 102',
      'S getpid  = 102',
      'S exit_group 0 = 0',
      'P 100 1',
      'X 100',
      'S getpid  = 100',
    ]);
  });

  test('execve: no result, another process on its line, a new image under the same number', async () => {
    const lines = [
      start,
      'SYSCALL[100,1](2) sys_fork ()   fork: process 100 created child 101',
      ' --> [pre-success] Success(0x65) ',
      ' --> [pre-success] Success(0x0) ',
      'SYSCALL[101,1](11) sys_execve ( 0x102000(/bin/as), 0x102100, 0x102200 )SYSCALL[100,1](3) sys_read ( 3, 0x102000, 8 ) --> [async] ... ',
      '==101== Lackey, an example Valgrind tool',
      '==101== Command: /bin/as',
      'I  00100000,1',
      'SYSCALL[101,1](252) exit_group( 0 ) --> [pre-success] Success(0x0) ',
      'SYSCALL[100,1](3) ... [async] --> Success(0x0) ',
    ];
    expect((await imported(lines)).slice(5)).toEqual([
      'S fork  = 101',
      'P 101 1',
      'S execve 0x102000"/bin/as" 0x102100 0x102200 = 0',
      ...IMAGE,
      'X 100',
      'S exit_group 0 = 0',
      'P 100 1',
      'S read 3 0x102000 8 = 0',
    ]);
  });

  test('threads, which are named by what they call', async () => {
    const lines = [
      start,
      ' L 00102000,4',
      'SYSCALL[100,2](1) exit( 0 ) --> [pre-success] Success(0x0) ',
      ' S 00102000,4',
      'SYSCALL[100,1](20) sys_getpid ()[sync] --> Success(0x64) ',
    ];
    expect((await imported(lines)).slice(5)).toEqual([
      'P 100 2',
      'R 102',
      'S exit 0 = 0',
      'P 100 1',
      'W 102',
      'S getpid  = 100',
    ]);
  });
});

describe('the importer refuses', () => {
  const start = '==100== Lackey, an example Valgrind tool';
  test.each([
    [
      'a line of something else',
      [start, 'hello there, what is this'],
      'log:2: expected a reference, a system call, a result or a message of the recorder',
    ],
    [
      'an access of a thousand pages',
      [start, ' L 00102fff,99999'],
      'log:2: expected an access of at most 4096 bytes',
    ],
    [
      'a process without an image in the maps',
      ['==555== Lackey, an example Valgrind tool'],
      'log:1: expected a segment list of process 555 in the maps, found none left',
    ],
    ['a log without a process', ['--1-- chatter'], 'log: expected the log of a lackey run'],
  ])('%s', async (_what, lines, message) => {
    await expect(imported(lines)).rejects.toThrow(message);
  });

  test('maps without a segment list', async () => {
    await expect(readLackeyMaps(chunks('nothing\n'), 'maps')).rejects.toThrow(
      'maps: expected the segment lists',
    );
  });

  test('a segment without rights', async () => {
    const broken = MAPS.replace(' rwx--', ' ?????');
    await expect(readLackeyMaps(chunks(broken), 'maps')).rejects.toThrow(
      /maps:7: expected a segment/,
    );
  });
});
