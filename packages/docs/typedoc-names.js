import { Converter, ReflectionKind } from 'typedoc';
import { entries } from './published.js';

// Modules are called as they are imported, not as they lie in the repository.

/** `pmap-sparc/src/sun4c` and the like, as TypeDoc calls them. */
const lying = new Map(
  entries.map(({ name, source }) => [source.replace(/^\.\.\/|(\/index)?\.ts$/g, ''), name]),
);

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getReflectionsByKind(ReflectionKind.Module))
      module.name = lying.get(module.name) ?? module.name;
  });
}
