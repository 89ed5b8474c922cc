import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What the host kernel's own faults cost, in nanoseconds. */
export interface HostFigures {
  readonly pageSize: number;
  /** One write fault on anonymous memory. */
  readonly zeroFill: number;
  /** One copy-on-write fault in a child. */
  readonly copyOnWrite: number;
  /** The return of fork(2) in a parent with 10,000 touched pages. */
  readonly fork10000: number;
  /** mlock(2) of 256 pages that are in memory, and of 256 that are not. */
  readonly lockResident: number;
  readonly lockUntouched: number;
}

/**
 * Compiles and runs the yardstick of the host.
 *
 * @returns the figures, or why there are none
 */
export async function measureHost(): Promise<HostFigures | string> {
  const folder = await mkdtemp(join(tmpdir(), 'uvmkit-bench-'));
  try {
    const source = fileURLToPath(new URL('../native/host.c', import.meta.url));
    const program = join(folder, 'host');
    try {
      await run('cc', ['-O2', '-o', program, source]);
    } catch (error) {
      return `no C compiler that works (${(error as Error).message.split('\n')[0]})`;
    }
    const { stdout } = await run(program);
    return JSON.parse(stdout) as HostFigures;
  } finally {
    await rm(folder, { recursive: true });
  }
}
