import { published } from '../published.js';

/** A page for every README. What it links to by its path in the repository is only there: the words stay. */
export default {
  paths: () =>
    published.map(({ folder, readme }) => ({
      params: { name: folder },
      content: readme
        .replaceAll(/\]\(\.\.\/([\w-]+)\)/g, '](/packages/$1)')
        .replaceAll(/\[([^\]]+)\]\((?!https?:|\/)[^)]*\)/g, '$1'),
    })),
};
