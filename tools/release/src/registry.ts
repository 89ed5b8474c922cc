import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A registry of one's own: empty, on loopback, knowing no other, gone when it is closed. */
export interface Registry {
  readonly url: string;
  /** An environment in which npm knows this registry only. */
  readonly env: NodeJS.ProcessEnv;
  close(): Promise<void>;
}

/**
 * Starts Verdaccio on a free port.
 *
 * @throws Error if it does not answer within 60 s: says what it wrote
 */
export async function startRegistry(): Promise<Registry> {
  const folder = mkdtempSync(join(tmpdir(), 'uvmkit-registry-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  writeFileSync(
    join(folder, 'config.yaml'),
    [
      `storage: ${JSON.stringify(join(folder, 'storage'))}`,
      'uplinks: {}',
      "packages: { '**': { access: $all, publish: $all, unpublish: $all } }",
      'max_body_size: 100mb',
      'web: { enable: false }',
      'log: { type: stdout, format: pretty, level: warn }',
      '',
    ].join('\n'),
  );
  // npm sends nothing to a registry for which it has no token; this one looks at none.
  writeFileSync(
    join(folder, 'npmrc'),
    `registry=${url}\n//127.0.0.1:${port}/:_authToken=none\nfund=false\naudit=false\nupdate-notifier=false\n`,
  );

  const bin = join(
    createRequire(import.meta.url).resolve('verdaccio/package.json'),
    '../bin/verdaccio',
  );
  const child = spawn(
    process.execPath,
    [bin, '--config', join(folder, 'config.yaml'), '--listen', `127.0.0.1:${port}`],
    { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  child.stdout.on('data', (text) => (said += String(text)));
  child.stderr.on('data', (text) => (said += String(text)));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const close = async (): Promise<void> => {
    child.kill();
    await ended;
    rmSync(folder, { recursive: true });
  };

  const deadline = performance.now() + 60_000;
  while (!(await answers(`${url}-/ping`))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await close();
      throw new Error(`Verdaccio does not answer at ${url}:\n${said}`);
    }
    await sleep(100);
  }
  const env = {
    ...Object.fromEntries(
      Object.entries(process.env).filter(
        ([name]) => !/^npm_/i.test(name) && name !== 'NODE_OPTIONS',
      ),
    ),
    // Changesets ask npm for the registry by this name, and else take the public one.
    npm_config_registry: url,
    NPM_CONFIG_USERCONFIG: join(folder, 'npmrc'),
    NPM_CONFIG_CACHE: join(folder, 'cache'),
  };
  return { url, env, close };
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port on loopback');
  return address.port;
}
