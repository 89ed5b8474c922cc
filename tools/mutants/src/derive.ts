import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'vite';
import { type Change, changed } from './mutant.ts';
import { PORTS } from './ports.ts';

const packages = fileURLToPath(new URL('../../../packages/', import.meta.url));
const worker = fileURLToPath(new URL('../src/worker.ts', import.meta.url));

const ENTRY = 'mutant:';
const QUERY = '?mutant=';

/** Where a port's package is entered. */
function sources({ port }: Change): string {
  return join(packages, PORTS[port].folder, 'src');
}

/**
 * Gives each mutant a copy of its package's modules, told apart by a query, with one of them changed. What the package
 * imports from others is the same for all of them, and for the kit.
 */
function mutating(changes: readonly Change[]): Plugin {
  const byId = new Map(changes.map((change) => [change.id, change]));
  return {
    name: 'mutants',
    enforce: 'pre',
    resolveId(source, importer) {
      if (source.startsWith(ENTRY)) {
        const id = source.slice(ENTRY.length);
        return join(sources(byId.get(id)!), `index.ts${QUERY}${id}`);
      }
      const [from, id] = importer?.split(QUERY) ?? [];
      if (from === undefined || id === undefined || !source.startsWith('.')) return null;
      return join(dirname(from), source) + QUERY + id;
    },
    async load(module) {
      const [file, id] = module.split(QUERY);
      if (file === undefined || id === undefined) return null;
      const change = byId.get(id)!;
      const text = await readFile(file, 'utf8');
      return file === join(sources(change), change.file) ? changed(text, change) : text;
    },
  };
}

/** The worker and the ports, compiled: threads load no TypeScript. */
export interface Derived {
  /** To be removed when the campaign is over. */
  readonly folder: string;
  readonly worker: string;
  /** The module of a changed port, by the change's id: an address. */
  readonly module: (id: string) => string;
}

/**
 * Compiles the changed ports from sources, with the kit that is to judge them.
 *
 * @throws RangeError if a change no longer applies
 */
export async function derive(changes: readonly Change[]): Promise<Derived> {
  const folder = await mkdtemp(join(tmpdir(), 'uvmkit-mutants-'));
  await build({
    configFile: false,
    logLevel: 'silent',
    plugins: [mutating(changes)],
    resolve: { conditions: ['@uvmkit/source'] },
    ssr: { noExternal: true, resolve: { conditions: ['@uvmkit/source'] } },
    build: {
      ssr: true,
      outDir: folder,
      emptyOutDir: true,
      rolldownOptions: {
        input: { worker, ...Object.fromEntries(changes.map(({ id }) => [id, ENTRY + id])) },
        output: { entryFileNames: '[name].mjs' },
      },
    },
  });
  return {
    folder,
    worker: join(folder, 'worker.mjs'),
    module: (id) => pathToFileURL(join(folder, `${id}.mjs`)).href,
  };
}
