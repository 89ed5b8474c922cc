import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { ReplayReport } from '@uvmkit/replay';
import picocolors from 'picocolors';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../src/index.ts';

/** A stream that keeps what is written to it. */
class Kept extends Writable {
  text = '';
  isTTY: boolean;
  /** As wide as the terminal is; a file has no width. */
  columns: number | undefined;

  constructor(columns: number | undefined) {
    super();
    this.isTTY = columns !== undefined;
    this.columns = columns;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }

  // What a progress bar asks of a terminal.
  cursorTo(): boolean {
    return true;
  }

  clearLine(): boolean {
    return true;
  }
}

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command with its output in a file, or on a terminal of so many columns. */
async function uvmkit(args: readonly string[], terminal?: number): Promise<Ran> {
  const stdout = new Kept(terminal);
  const stderr = new Kept(terminal);
  let ms = 0;
  const code = await run(args, {
    stdout: stdout as Writable as NodeJS.WriteStream,
    stderr: stderr as Writable as NodeJS.WriteStream,
    colors: picocolors.createColors(terminal !== undefined),
    clock: () => (ms += 100),
  });
  return { code, out: stdout.text, err: stderr.text };
}

const SHIPPED = new URL('../recordings/', import.meta.url).pathname;
const FIXTURES = new URL('../../replay/test/fixtures/', import.meta.url).pathname;
const SMALL = `# vmtrace 1
# name small
P 100 1
I 100000 102000 r-x file /bin/test 0
I 102000 104000 rw- file /bin/test 8192
I befff000 bf000000 rw- stack limit bef00000
X 100 5
W 102
R 102 2
W 100 3
# end refs 11 records 4 syscalls 0 processes 1
`;

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'uvmkit-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, contents: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, contents);
  return path;
}

describe('uvmkit', () => {
  test('without arguments replays the recording that comes along on every MMU', async () => {
    const { code, out, err } = await uvmkit([]);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^forkcow: \.\/forkcow\n\nReplayed +i386 +alpha +sun4c +srmmu +oea +ibm4xx\n +checks( +all held){6}\n/,
    );
    expect(out).toMatch(/ {2}references( +223,789){6}\n/);
    expect(out).toContain('alpha: layout spread, a page of 8,192 B for every recorded one');
    expect(out).toContain('sun4c: regions 0x58082000-0x58083000 moved to');
    expect(err).toContain(
      'forkcow on ibm4xx: 130761 records\nforkcow on ibm4xx: every check held\n',
    );
    expect(out).not.toContain('\u001b');
  });

  test('replays a file on one MMU, the i386 if none is named', async () => {
    const path = await file('small.vmt', SMALL);
    const { code, out } = await uvmkit(['replay', path]);
    expect(code).toBe(0);
    expect(out).toMatch(/Replayed +i386\n/);
    expect(out).toContain('3 × store at 0x100000, mapped r-x');
  });

  test('reports as JSON', async () => {
    const path = await file('small.vmt.gz', gzipSync(SMALL));
    const { code, out } = await uvmkit([
      path,
      '--json',
      '--arch',
      'oea,i386',
      '--memory',
      '16M',
      '--seed',
      '3',
      '--no-fault-ahead',
    ]);
    expect(code).toBe(0);
    const reports = JSON.parse(out) as ReplayReport[];
    expect(
      reports.map(({ arch, ok, seed, memoryBytes, faultAhead }) => ({
        arch,
        ok,
        seed,
        memoryBytes,
        faultAhead,
      })),
    ).toEqual(
      ['oea', 'i386'].map((arch) => ({
        arch,
        ok: true,
        seed: 3,
        memoryBytes: 16 << 20,
        faultAhead: false,
      })),
    );
    expect(reports[0]!.time.real).toBe(100);
  });

  test('forgets mappings as it is told to, under the wiring policy that it is told, and says so', async () => {
    const path = await file('small.vmt.gz', gzipSync(SMALL));
    const flags = ['--amnesia', '.75', '--policy', 'wire'];
    const { code, out } = await uvmkit([path, ...flags, '--json']);
    expect(code).toBe(0);
    const [report] = JSON.parse(out) as ReplayReport[];
    expect(report).toMatchObject({ ok: true, policy: 'wire', amnesia: { probability: 0.75 } });
    expect(report!.amnesia!.forgotten).toBeGreaterThan(0);
    const table = await uvmkit([path, ...flags]);
    expect(table.out).toMatch(/what mlock does +wire\n.*forgets all +0\.75\n/);
  });

  test('does without what it is told to, and says so', async () => {
    const replay = async (without: string) =>
      uvmkit([join(SHIPPED, 'locker.vmt.gz'), '--json', '--without', without]);
    const { out } = await replay('tlb,map-hints');
    const [report] = JSON.parse(out) as ReplayReport[];
    expect(report).toMatchObject({ ok: true, faultAhead: true, without: ['mapHints', 'tlb'] });
    const [plain] = JSON.parse((await replay('all')).out) as ReplayReport[];
    expect(plain).toMatchObject({ ok: true, faultAhead: false, work: report!.work });
    for (const wrong of ['tbl', 'tlb,tlb', ''])
      expect((await replay(wrong)).err).toContain(
        'Expected all, or some of fault-ahead,map-hints,merging,idle-zeroing,tlb, each once.',
      );
  });

  test('draws a bar and colours on a terminal', async () => {
    const { out, err } = await uvmkit([join(SHIPPED, 'locker.vmt.gz')], 200);
    expect(out).toContain('\u001b[32mall held');
    expect(err).toContain('locker on i386 [');
    expect(err).not.toContain('locker on i386: every check held');
  });

  test('puts the architectures below each other on a terminal too narrow for them side by side', async () => {
    const { out } = await uvmkit(['--arch', 'i386,alpha,oea', join(SHIPPED, 'locker.vmt.gz')], 80);
    const lines = stripVTControlCharacters(out).split('\n');
    const notes = lines.findIndex((line) => line.startsWith('i386: stack'));
    expect(Math.max(...lines.slice(0, notes).map((line) => line.length))).toBeLessThanOrEqual(80);
    const heads = lines.filter((line) => line.startsWith('Replayed'));
    expect(heads.map((line) => line.split(/ +/))).toEqual([
      ['Replayed', 'i386', 'alpha'],
      ['Replayed', 'oea'],
    ]);
    expect(lines.filter((line) => line.startsWith('  stolen by the pmap'))).toHaveLength(2);
  });

  test('replays every recording of a folder, a line for each', async () => {
    const { code, out } = await uvmkit(['replay', '--all', SHIPPED, '--arch', 'i386,srmmu']);
    expect(code).toBe(0);
    for (const name of ['forkcow', 'locker', 'mapfiles'])
      for (const arch of ['i386', 'srmmu'])
        expect(out).toMatch(new RegExp(`^${name} +${arch} +held`, 'm'));
  });

  test('replays with memory cut to parts of the working set, a line each', async () => {
    const { code, out, err } = await uvmkit([
      'replay',
      join(SHIPPED, 'forkcow.vmt.gz'),
      '--arch',
      'i386,oea',
      '--pressure',
      '2,8',
    ]);
    expect(code).toBe(0);
    for (const arch of ['i386', 'oea'])
      expect(out).toMatch(
        new RegExp(`(^forkcow +${arch} +held +\\d+ +[1-9]\\d+, [1-9]\\d+ .*\n){2}`, 'm'),
      );
    expect(err).toContain('forkcow on oea, 1/8 of memory: every check held\n');
  });

  test('swaps to a disk of the size asked for', async () => {
    const recording = join(SHIPPED, 'forkcow.vmt.gz');
    const { code, out } = await uvmkit([recording, '--memory', '1M', '--swap', '4M']);
    expect(code).toBe(0);
    expect(out).toMatch(/ {2}swap +4,096 KB\n/);
    expect(out).toMatch(/ {2}pages swapped out and in +[1-9]\d*, [1-9]\d*\n/);
  });

  test('ends with 1 when a check does not hold', async () => {
    const { code, out, err } = await uvmkit([join(SHIPPED, 'locker.vmt.gz'), '--hazards']);
    expect(code).toBe(1);
    expect(out).toMatch(
      /stopped at line \d+: panic: uvm_fault_unwire_locked: unwiring non-wired memory/,
    );
    expect(err).toContain('0 checks failed, stopped');
  });

  test('counts one check that failed as one', async () => {
    const recording = join(SHIPPED, 'forkcow.vmt.gz');
    const { code, out, err } = await uvmkit(['replay', recording, '--memory', '1M']);
    expect(code).toBe(1);
    expect(out).toMatch(/^i386: 1 check failed$/m);
    expect(out).toMatch(/SIGKILL .*: ENOMEM$/m);
    expect(err).toContain('1 check failed, stopped');
  });

  test('reads and converts raw logs', async () => {
    const log = join(FIXTURES, 'locker.log.gz');
    const maps = join(FIXTURES, 'locker.maps.gz');
    const replayed = await uvmkit(['replay', log, '--maps', maps, '--json']);
    expect(replayed.code).toBe(0);
    const converted = join(folder, 'converted.vmt.gz');
    expect((await uvmkit(['convert', log, converted, '--maps', maps])).code).toBe(0);
    const again = await uvmkit(['replay', converted, '--json']);
    expect(again.code).toBe(0);
    expect(again.out).toBe(replayed.out);
    const want = gunzipSync(await readFile(join(FIXTURES, 'locker.vmt.gz'))).toString('latin1');
    const got = gunzipSync(await readFile(converted)).toString('latin1');
    const body = (text: string): string => text.slice(text.indexOf('\nP '));
    expect(body(got) === body(want)).toBe(true);
    const twice = await uvmkit(['convert', log, converted, '--maps', maps]);
    expect(twice).toMatchObject({
      code: 2,
      err: `uvmkit: ${converted}: expected to make a new file, found an old one\n`,
    });
  });

  test('helps, and tells its version, with 0', async () => {
    const help = await uvmkit(['replay', '--help']);
    expect(help.code).toBe(0);
    expect(help.out).toContain('--no-fault-ahead');
    expect((await uvmkit(['--version'])).code).toBe(0);
  });
});

describe('input that cannot be used ends with 2, one message and no trace of a stack:', () => {
  async function expectRefused(args: readonly string[], message: RegExp): Promise<void> {
    const { code, out, err } = await uvmkit(args);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n {4}at /);
  }

  test('an unknown flag', () =>
    expectRefused(['replay', '--fast'], /^error: unknown option '--fast'/));
  test('an unknown architecture', () =>
    expectRefused(
      ['--arch', 'vax'],
      /^uvmkit: --arch: expected all or some of i386, alpha, .*, found "vax"\n$/,
    ));
  test.each(['lots', '63', '4G', '100G', '1000001'])('memory of %s', (size) =>
    expectRefused(
      ['--memory', size],
      /option '--memory <size>' argument '.*' is invalid\. Expected a size from 1M to below 4G/,
    ),
  );
  test('a probability of forgetting that is none', () =>
    expectRefused(['--amnesia', '1.5'], /Expected a probability from 0 to 1 such as 0\.1/));
  test('a wiring policy that is not there', () =>
    expectRefused(['--policy', 'foo'], /--policy: expected one of wire, wiremax.*, found "foo"/));
  test('a seed that is no number', () =>
    expectRefused(['--seed', '-1'], /Expected a whole number from 0 to/));
  test('a file that is not there', () =>
    expectRefused(['/nowhere/x.vmt'], /^uvmkit: \/nowhere\/x\.vmt: no such file or folder\n$/));
  test('a folder for a file', () =>
    expectRefused([SHIPPED], /expected a file, found something else/));
  test('a folder without recordings', () =>
    expectRefused(
      ['--all', join(SHIPPED, '..', 'src')],
      /expected recordings \(\*\.vmt\.gz, \*\.vmt\), found none/,
    ));
  test('memory and a part of it', () =>
    expectRefused(
      ['a', '--memory', '1M', '--pressure', '2'],
      /expected either --memory or --pressure, found both/,
    ));
  test.each(['0', '65', '2,2', '2,', 'x', '1.5'])('a part of memory such as 1/%s', (list) =>
    expectRefused(['a', '--pressure', list], /Expected whole numbers from 1 to 64, each once/),
  );
  test('files and a folder', () =>
    expectRefused(['a', '--all', 'b'], /expected either files or --all FOLDER, found both/));
  test('a window for a page-level recording', () =>
    expectRefused(['a', '--window', '8'], /--window with --maps only/));

  test('a broken line', async () => {
    const path = await file('broken.vmt', SMALL.replace('W 102', 'W 10z'));
    await expectRefused(
      [path],
      /^uvmkit: .*broken\.vmt:8: expected "W page \[count\]".*, found "W 10z"\n$/,
    );
  });

  test('an impossible size', async () => {
    const path = await file('size.vmt', SMALL.replace('I 102000 104000', 'I 102000 fffffff104000'));
    await expectRefused([path], /size\.vmt:5: expected .*, found /);
  });

  test('a reference to no region', async () => {
    const path = await file('region.vmt', SMALL.replace('R 102 2', 'R 999 2'));
    await expectRefused(
      [path],
      /region\.vmt:9: expected a reference to a region of the process, found a load at 0x999000/,
    );
    expect((await uvmkit([path, '--count-unmapped'])).code).toBe(0);
  });

  test('a gzip file that is cut short, or damaged', async () => {
    const whole = await readFile(join(SHIPPED, 'forkcow.vmt.gz'));
    const cut = await file('cut.vmt.gz', whole.subarray(0, whole.length >> 1));
    await expectRefused(
      [cut],
      /^uvmkit: .*cut\.vmt\.gz:\d+: expected a whole gzip file, found one that is cut short\n$/,
    );
    const damaged = Buffer.from(whole);
    damaged.fill(0x55, 1000, 1200);
    await expectRefused(
      [await file('damaged.vmt.gz', damaged)],
      /^uvmkit: .*damaged\.vmt\.gz:\d+: expected /,
    );
  });

  test('a raw log without its maps', () =>
    expectRefused(
      [join(FIXTURES, 'locker.log.gz')],
      /expected "# vmtrace 1".*\(a raw valgrind log is read with --maps MAPS\)\n$/,
    ));

  test('a raw log with something else for maps', async () => {
    await expectRefused(
      [join(FIXTURES, 'locker.log.gz'), '--maps', await file('maps', 'nothing\n')],
      /maps: expected the segment lists that valgrind -d prints/,
    );
  });

  test('a recording that no MMU has room for', async () => {
    const lines = Array.from(
      { length: 3 },
      (_, i) => `S mmap 0 0x60000000 3 34 -1 0 = 0x${(0x10_0000_0000 * (i + 1)).toString(16)}\n`,
    ).join('');
    const path = await file(
      'large.vmt',
      SMALL.replace(
        '# end refs 11 records 4 syscalls 0',
        `${lines}# end refs 11 records 4 syscalls 3`,
      ),
    );
    await expectRefused([path], /user space .* has no room for 1610612736 bytes/);
  });
});
