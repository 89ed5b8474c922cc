import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Extractor,
  ExtractorConfig,
  ExtractorLogLevel,
  type ExtractorMessage,
} from '@microsoft/api-extractor';
import { type Entry, entriesOf, type Package, root } from './workspace.ts';

/** The public surface of one entry point, as text. */
export interface ApiReport {
  readonly entry: Entry;
  /** Where it is kept, from the workspace's root. */
  readonly path: string;
  readonly text: string;
}

/** Where the surface of an entry point is kept, from the root: `packages/pmap/etc/pmap.api.md`. */
function pathOf({ folder }: Package, { specifier }: Entry): string {
  const name = specifier.slice(specifier.indexOf('/') + 1).replaceAll('/', '-');
  return `${folder}/etc/${name}.api.md`;
}

/**
 * Reads the public surface of every entry point of a package from its built declarations.
 *
 * The packages that it imports are seen as a consumer sees them, by their `types`, not by their sources.
 *
 * @throws Error if the package was not built, or API Extractor cannot read it.
 */
export function apiReports(pkg: Package): ApiReport[] {
  const scratch = mkdtempSync(join(tmpdir(), 'uvmkit-api-'));
  try {
    return entriesOf(pkg).map((entry) => ({
      entry,
      path: pathOf(pkg, entry),
      text: extract(pkg, entry, scratch),
    }));
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function extract(pkg: Package, entry: Entry, scratch: string): string {
  const folder = root + pkg.folder;
  const name = `${entry.specifier.replaceAll('/', '-')}.api.md`;
  mkdirSync(join(scratch, 'temp'), { recursive: true });
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: folder,
      mainEntryPointFilePath: `${folder}/${entry.types}`,
      newlineKind: 'lf',
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            target: 'es2022',
            lib: ['es2022'],
            module: 'nodenext',
            moduleResolution: 'nodenext',
            strict: true,
            types: [],
          },
          files: [`${folder}/${entry.types}`],
        },
      },
      apiReport: {
        enabled: true,
        reportFileName: name,
        reportFolder: scratch,
        reportTempFolder: join(scratch, 'temp'),
        // A type that an exported one mentions is part of the surface, whether it can be named or not.
        includeForgottenExports: true,
        tagsToReport: {},
      },
      docModel: { enabled: false, projectFolderUrl: '' },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
        extractorMessageReporting: {
          default: { logLevel: ExtractorLogLevel.Error },
          'ae-missing-release-tag': { logLevel: ExtractorLogLevel.None },
          'ae-unresolved-link': { logLevel: ExtractorLogLevel.None },
          'ae-unresolved-inheritdoc-reference': { logLevel: ExtractorLogLevel.None },
          'ae-undocumented': { logLevel: ExtractorLogLevel.None },
          'ae-forgotten-export': { logLevel: ExtractorLogLevel.None },
        },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: `${folder}/package.json`,
  });
  const problems: string[] = [];
  Extractor.invoke(config, {
    localBuild: true,
    messageCallback: (message: ExtractorMessage) => {
      if (message.logLevel === ExtractorLogLevel.Error)
        problems.push(message.formatMessageWithLocation(root));
      message.handled = true;
    },
  });
  if (problems.length > 0) throw new Error(`${entry.specifier}:\n${problems.join('\n')}`);
  // Docstrings are held elsewhere; here they would ask for a changeset when one is written.
  return readFileSync(join(scratch, name), 'utf8')
    .replaceAll(/^ *\/\/ \(undocumented\)\n/gm, '')
    .replaceAll(/^( *\/\/ @.*) \(undocumented\)$/gm, '$1');
}
