import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root: string = fileURLToPath(new URL('../../../', import.meta.url));

/** What is made, or of no use to a port. */
const LEFT_OUT = new Set([
  'node_modules',
  'dist',
  'out-tsc',
  'coverage',
  'reports',
  'recordings',
  '.git',
  '.nx',
  '.pack',
]);

/** What a command printed, on either stream, and how it ended. */
export interface Ended {
  readonly code: number;
  readonly text: string;
}

/** A copy of the workspace in a folder of its own, whose packages see each other and the tools that are installed here. */
export class WorkspaceCopy {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'uvmkit-port-'));

  constructor() {
    cpSync(root, this.folder, {
      recursive: true,
      filter: (from) => !LEFT_OUT.has(basename(from)),
    });
    const modules = join(this.folder, 'node_modules');
    mkdirSync(join(modules, '@uvmkit'), { recursive: true });
    for (const name of readdirSync(join(root, 'node_modules')))
      if (name !== '@uvmkit') symlinkSync(join(root, 'node_modules', name), join(modules, name));
    for (const parent of ['packages', 'tools'])
      for (const name of readdirSync(join(this.folder, parent))) this.link(`${parent}/${name}`);
  }

  /** Does for a package what `npm install` does. */
  link(folder: string): void {
    const path = join(this.folder, folder);
    const { name } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as {
      name: string;
    };
    symlinkSync(path, join(this.folder, 'node_modules', name));
  }

  read(path: string): string {
    return readFileSync(join(this.folder, path), 'utf8');
  }

  /** Runs a tool that is installed. */
  run(tool: string, ...args: string[]): Promise<Ended> {
    const env = { ...process.env, NX_DAEMON: 'false', CI: '1', NO_COLOR: '1', FORCE_COLOR: '0' };
    return new Promise((resolve) => {
      const bin = join(this.folder, 'node_modules/.bin', tool);
      const options = { cwd: this.folder, env, maxBuffer: 1 << 26 };
      execFile(bin, args, options, (error, out, err) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), text: out + err }),
      );
    });
  }
}
