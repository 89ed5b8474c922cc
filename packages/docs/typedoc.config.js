import { entries } from './published.js';

/** @type {Partial<import('typedoc').TypeDocOptions>} */
export default {
  name: 'API reference',
  entryPoints: entries.map(({ source }) => source),
  tsconfig: 'tsconfig.api.json',
  plugin: ['typedoc-plugin-markdown', './typedoc-names.js'],
  out: 'api',
  readme: 'none',
  router: 'module',
  entryFileName: 'index',
  hideBreadcrumbs: true,
  hidePageHeader: true,
  disableSources: true,
  excludePrivate: true,
  excludeInternal: true,
  githubPages: false,
  // The folder has everything that a release knows; a warning is for whoever builds it.
  validation: { notExported: false, invalidLink: true, notDocumented: true },
};
