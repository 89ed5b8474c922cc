import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build, type Rollup } from 'vite';

/** What a bundler makes of a module. */
export interface Bundle {
  readonly code: string;
  /** The code after gzip, in bytes. */
  readonly gzip: number;
  /** The files that something of is left of, as their paths. */
  readonly modules: readonly string[];
}

/**
 * Bundles and minifies a module with Vite, as an application would that imports it.
 *
 * @param folder where the module stands, beside its `node_modules`.
 * @param source the module.
 * @param external what stays an import.
 */
export async function bundle(
  folder: string,
  source: string,
  external: (specifier: string) => boolean = () => false,
): Promise<Bundle> {
  const input = join(folder, 'entry.js');
  writeFileSync(input, source);
  const output = (await build({
    root: folder,
    configFile: false,
    logLevel: 'silent',
    build: {
      write: false,
      minify: true,
      target: 'es2022',
      lib: { entry: input, formats: ['es'] },
      rollupOptions: { external },
    },
  })) as Rollup.RollupOutput[];
  const chunks = output[0]!.output.filter((part) => part.type === 'chunk');
  const code = chunks.map((chunk) => chunk.code).join('\n');
  const modules = chunks
    .flatMap((chunk) => Object.entries(chunk.modules))
    .filter(([, { renderedLength }]) => renderedLength > 0)
    .map(([id]) => id);
  return { code, gzip: gzipSync(code, { level: 9 }).length, modules };
}
