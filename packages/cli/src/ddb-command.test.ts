import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import picocolors from 'picocolors';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { architectureNames } from './architectures.ts';
import { ddbCommand } from './ddb-command.ts';
import type { Io } from './io.ts';
import { run } from './program.ts';

/** A stream that keeps what is written to it. */
class Kept extends Writable {
  text = '';
  readonly isTTY: boolean;
  readonly columns = 100;

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** A terminal to type on. */
class Keyboard extends PassThrough {
  readonly isTTY = true;
  raw = false;

  setRawMode(raw: boolean): this {
    this.raw = raw;
    return this;
  }
}

interface Console {
  readonly io: Io;
  readonly out: Kept;
  readonly err: Kept;
}

function consoleOf(terminal: boolean): Console {
  const out = new Kept(terminal);
  const err = new Kept(terminal);
  const io: Io = {
    stdout: out as Writable as NodeJS.WriteStream,
    stderr: err as Writable as NodeJS.WriteStream,
    colors: picocolors.createColors(false),
    clock: () => 0,
  };
  return { io, out, err };
}

/** `uvmkit ddb` with commands on its command line. */
async function oneShot(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const { io, out, err } = consoleOf(false);
  const code = await run(['ddb', ...args], io);
  return { code, out: out.text, err: err.text };
}

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'uvmkit-ddb-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

const MACHINE = `
  const machine = new Machine({ port, memory: 4 << 20 });
  const process = machine.spawn();
  const va = process.sys.mmap(0, 4096, 3, MAP_ANON | MAP_PRIVATE).value;
  machine.start(process, function* (t) { yield* t.store32(va, 0x11223344); });
`;

/** What a pmap counts of the one page that is wired, where it is not 1: these two did not count in 2001. */
const WIRED: Readonly<Record<string, number>> = { oea: 0, ibm4xx: 0 };

describe('uvmkit ddb', () => {
  test.each(architectureNames())('looks into a demo machine of %s and runs it', async (arch) => {
    const { code, out, err } = await oneShot(
      '--arch',
      arch,
      '-e',
      'show pmap 1',
      '-e',
      'break uvm.promote',
      '-e',
      'continue',
      '-e',
      'delete',
      '-e',
      'continue',
      '-e',
      'ps',
    );
    expect(err).toBe('');
    expect(out).toMatch(
      new RegExp(`^PMAP 1 \\(${arch}\\): map=1, resident=\\d+, wired=${WIRED[arch] ?? 1}, `),
    );
    expect(out).toMatch(/^#\d+ \d+ ns uvm\.promote map=\d+ va=0x\w+ from=0x\w+ to=0x\w+$/m);
    expect(out).toMatch(/^nothing is left to run at \d+ ns$/m);
    expect(out).toMatch(/^2 +1 +zombie /m);
    expect(code).toBe(0);
  });

  test('takes the machine that a file makes of what it is given', async () => {
    const path = await file(
      'made.mjs',
      `export default ({ Machine, port, MAP_ANON, MAP_PRIVATE }) => {${MACHINE} return machine; };`,
    );
    const { code, out, err } = await oneShot(path, '--arch', 'oea', '-e', 'c', '-e', 'show pmap 1');
    expect(err).toBe('');
    expect(out).toMatch(/^nothing is left to run at \d+ ns\nPMAP 1 \(oea\): .*\n {2}0x\w+: PTE /);
    expect(code).toBe(0);
  });

  test('takes a machine that is promised, under the name of machine', async () => {
    const path = await file(
      'promised.mjs',
      `export async function machine({ Machine, alpha }) { return new Machine({ port: alpha() }); }`,
    );
    const { code, out } = await oneShot(path, '-e', 'show map 0');
    expect(out).toMatch(/^MAP 0: \[0xfffffe0000000000->/);
    expect(code).toBe(0);
  });

  test('takes a machine that is there already', async () => {
    const made = await file(
      'maker.mjs',
      `let made; export default (kit) => (made ??= new kit.Machine({ port: kit.port, memory: 4 << 20 }));
       export const get = () => made;`,
    );
    expect((await oneShot(made, '-e', 'ps')).code).toBe(0);
    const path = await file(
      'there.mjs',
      `import { get } from './maker.mjs'; export default get();`,
    );
    const { code, out } = await oneShot(path, '-e', 'show uvmexp');
    expect(out).toContain('VM pages=1019');
    expect(code).toBe(0);
  });

  test('says of each command that it cannot execute why not, does the others and ends with 2', async () => {
    const { code, out, err } = await oneShot(
      '-e',
      'shwo map',
      '-e',
      'show map 0',
      '-e',
      'show map 9',
    );
    expect(err).toBe(
      'uvmkit: expected show, ps, break, delete, continue, step, trace, proc, print, x or help, found "shwo"\n' +
        'uvmkit: show map: expected the number of a map (0, 1, 2), found "9"\n',
    );
    expect(out).toMatch(/^MAP 0: /);
    expect(code).toBe(2);
  });

  test('has help, and so have its commands', async () => {
    const { code, out } = await oneShot('--help');
    expect(code).toBe(0);
    expect(out).toContain('uvmkit ddb -e ps');
    expect(out).toContain('Exit code: 0 if every command could be executed');
    expect((await oneShot('-e', 'help')).out).toContain('show pmap PMAP [VA]\n');
  });
});

describe('input that cannot be used ends with 2 and one message:', () => {
  async function expectRefused(args: readonly string[], message: RegExp): Promise<void> {
    const { code, out, err } = await oneShot(...args, '-e', 'ps');
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n {4}at /);
    expect(out).toBe('');
    expect(code).toBe(2);
  }

  test('no such file', () =>
    expectRefused(['/nowhere/m.mjs'], /^uvmkit: \/nowhere\/m\.mjs: no such file or folder\n$/));
  test('a folder', () => expectRefused([folder], /: expected a file, found something else\n$/));
  test('several architectures', () =>
    expectRefused(
      ['--arch', 'all'],
      /^uvmkit: --arch: expected one of i386, alpha, sun4c, srmmu, oea, ibm4xx, sv32, sv39, found "all"\n$/,
    ));
  test('two files', () => expectRefused(['a', 'b'], /too many arguments/));
  test('no module', async () =>
    expectRefused(
      [await file('broken.mjs', 'export default (')],
      /broken\.mjs: expected a module that can be loaded, found \w*Error: .*\n$/,
    ));
  test('nothing exported', async () =>
    expectRefused(
      [await file('empty.mjs', 'export const x = 1;')],
      /empty\.mjs: expected a Machine, or a function that makes one, .*, found none\n$/,
    ));
  test('something else exported', async () =>
    expectRefused([await file('seven.mjs', 'export default 7;')], /, found number\n$/));
  test('a function that makes something else', async () =>
    expectRefused([await file('null.mjs', 'export default () => null;')], /, found none\n$/));
  test('a function that fails', async () =>
    expectRefused(
      [await file('fails.mjs', 'export default () => { throw new RangeError("no luck"); };')],
      /fails\.mjs: expected a function that makes a machine, found RangeError: no luck\n$/,
    ));
});

describe('commands that are piped in', () => {
  test('are executed a line at a time, the last without an end too', async () => {
    const { io, out, err } = consoleOf(false);
    const input = Readable.from(['show map 0\n\nbo', 'gus\r\nshow sw', 'ap']);
    expect(await ddbCommand(undefined, { arch: 'i386' }, io, input)).toBe(2);
    expect(out.text).toMatch(/^MAP 0: .*\n {2}#ent=.*\n {2}pmap=.*\nno swap configured\n$/);
    expect(err.text).toMatch(/^uvmkit: expected show, .*, found "bogus"\n$/);
  });

  test('end with 0 if there are none', async () => {
    const { io, out } = consoleOf(false);
    expect(await ddbCommand(undefined, { arch: 'i386' }, io, Readable.from([]))).toBe(0);
    expect(out.text).toBe('');
  });
});

describe('on a terminal', () => {
  interface Session {
    readonly out: Kept;
    readonly err: Kept;
    /** Types keys and waits for what they bring. */
    readonly type: (keys: string, expected: RegExp) => Promise<string>;
    readonly ended: Promise<number>;
  }

  function begin(): Session {
    const { io, out, err } = consoleOf(true);
    const keyboard = new Keyboard();
    const ended = ddbCommand(undefined, { arch: 'i386' }, io, keyboard);
    let seen = 0;
    const type = async (keys: string, expected: RegExp): Promise<string> => {
      keyboard.write(keys);
      await expect.poll(() => out.text.slice(seen), { interval: 5 }).toMatch(expected);
      const brought = out.text.slice(seen);
      seen = out.text.length;
      return brought;
    };
    return { out, err, type, ended };
  }

  test('there is a prompt, history, and an end', async () => {
    const { out, err, type, ended } = begin();
    await type('', /db> /);
    expect(out.text).toMatch(/^"help" lists the commands, control-D leaves/);
    await type('show swap\r', /no swap configured\n[^]*db> /);
    await type('bogus\r', /expected show, .*, found "bogus"\n[^]*db> /);
    // Up twice brings back the line before the last.
    await type('\u001b[A\u001b[A\r', /no swap configured\n[^]*db> /);
    await type('\u0004', /\n$/);
    expect(await ended).toBe(0);
    expect(err.text).toBe('');
  });

  test('tab completes commands, numbers and events', async () => {
    const { type, ended } = begin();
    await type('', /db> /);
    await type('show uv', /uv/);
    await type('\t', /exp /);
    await type('\r', /Current UVM status:[^]*db> /);
    await type('break pmap.k', /k/);
    // Choices are listed at the second tab, as readline does; both at once would be pasted text.
    await type('\t', /^/);
    await type('\t', /pmap\.kenter +pmap\.kremove /);
    await type('\u0003', /\^C\n[^]*db> /);
    await type('show map ', / /);
    await type('\t', /^/);
    await type('\t', /0 +1 +2 /);
    await type('\u0003', /db> /);
    await type('\u0004', /\n$/);
    expect(await ended).toBe(0);
  });

  test('control-C drops the line', async () => {
    const { type, ended } = begin();
    await type('', /db> /);
    await type('show swap', /swap/);
    await type('\u0003', /\^C\n[^]*db> /);
    expect(await type('show map 0\r', /MAP 0[^]*db> /)).not.toContain('expected');
    await type('\u0004', /\n$/);
    expect(await ended).toBe(0);
  });

  test('an empty line goes on with x and step, and with nothing else', async () => {
    const { type, ended } = begin();
    await type('', /db> /);
    await type('x/2 0x10000\r', /0x00010000: 0x\w{8} 0x\w{8}\n[^]*db> /);
    await type('\r', /0x00010008: 0x\w{8} 0x\w{8}\n[^]*db> /);
    await type('\r', /0x00010010: 0x\w{8} 0x\w{8}\n[^]*db> /);
    await type('step\r', /\nat \d+ ns\n[^]*db> /);
    await type('\r', /\nat \d+ ns\n[^]*db> /);
    await type('show swap\r', /no swap[^]*db> /);
    expect(await type('\r', /db> /)).not.toContain('swap');
    await type('\u0004', /\n$/);
    expect(await ended).toBe(0);
  });
});
