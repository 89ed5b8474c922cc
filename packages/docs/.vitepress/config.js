import { existsSync } from 'node:fs';
import { defineConfig } from 'vitepress';
import { entries, published } from '../published.js';

/** The guides in the order in which they are read. */
const guides = [
  ['getting-started', 'Getting started'],
  ['replaying', 'Replaying your own program'],
  ['conformance', 'Conformance'],
  ['porting', 'Porting'],
  ['wiring', 'Wiring'],
].filter(([name]) => existsSync(new URL(`../${name}.md`, import.meta.url)));

/**
 * The page of a module. TypeDoc numbers those whose names it has used before, and gives a folder to those with namespaces.
 *
 * @throws Error if there is none: sidebars are not looked at for dead links
 */
function apiPage(name) {
  const found = [name, `${name}-1`, `${name}/index`].find((path) =>
    existsSync(new URL(`../api/${path}.md`, import.meta.url)),
  );
  if (found === undefined) throw new Error(`no page of the API reference is about ${name}`);
  return `/api/${found}`;
}

/** What a guide links to in the repository, beside its own folder, is not on the site: the words stay. */
function unlinkSources({ tokens }) {
  for (const { children } of tokens) {
    let outside = false;
    for (const token of children ?? []) {
      if (token.type === 'link_open') outside = token.attrGet('href').startsWith('../');
      if (!outside || !token.type.startsWith('link_')) continue;
      Object.assign(token, { tag: 'span', attrs: null });
      if (token.type === 'link_open') token.type = 'span_open';
      else {
        token.type = 'span_close';
        outside = false;
      }
    }
  }
}

export default defineConfig({
  title: 'uvmkit',
  description: "NetBSD's UVM of 31 December 2001 in TypeScript, over bit-exact MMUs",
  srcExclude: ['README.md'],
  cleanUrls: false,
  markdown: { config: (md) => md.core.ruler.push('sources', unlinkSources) },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    sidebar: [
      { text: 'Guides', items: guides.map(([name, text]) => ({ text, link: `/${name}` })) },
      {
        text: 'Packages',
        items: published.map(({ folder }) => ({ text: folder, link: `/packages/${folder}` })),
      },
      {
        text: 'API reference',
        collapsed: true,
        items: entries.map(({ name }) => ({ text: name, link: apiPage(name) })),
      },
    ],
  },
});
