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
  // The docstrings are held by tools/house; what they link to, here.
  validation: { notExported: false, invalidLink: true },
  treatWarningsAsErrors: true,
};
