import { mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The worker and every port that lies, compiled from sources: threads load no TypeScript. */
export interface Bundles {
  readonly folder: string;
  readonly worker: string;
  /** The module of a port, by its file's name. */
  readonly port: (name: string) => string;
}

export async function bundles(): Promise<Bundles> {
  const folder = mkdtempSync(join(tmpdir(), 'uvmkit-conform-'));
  const liars = readdirSync(at('liars')).map((file) => file.replace(/\.ts$/, ''));
  await build({
    configFile: false,
    logLevel: 'silent',
    resolve: { conditions: ['@uvmkit/source'] },
    ssr: { noExternal: true, resolve: { conditions: ['@uvmkit/source'] } },
    build: {
      ssr: true,
      outDir: folder,
      emptyOutDir: true,
      rolldownOptions: {
        input: {
          worker: at('../src/conform/worker.ts'),
          ...Object.fromEntries(liars.map((name) => [name, at(`liars/${name}.ts`)])),
        },
        output: { entryFileNames: '[name].mjs' },
      },
    },
  });
  return {
    folder,
    worker: join(folder, 'worker.mjs'),
    port: (name) => join(folder, `${name}.mjs`),
  };
}
