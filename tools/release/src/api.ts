import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { apiReports } from './api-report.ts';
import { historyOf, missingChangeset } from './surface-history.ts';
import { publishedPackages, root } from './workspace.ts';

// `npm run api` holds every public surface to the report kept of it, and to its changeset;
// `npm run api -- --write` keeps what is there now.

const write = process.argv.includes('--write');
const problems: string[] = [];
const history = historyOf(root);
let entries = 0;
for (const pkg of publishedPackages()) {
  const reports = apiReports(pkg);
  const etc = `${pkg.folder}/etc`;
  for (const name of existsSync(root + etc) ? readdirSync(root + etc) : [])
    if (!reports.some(({ path }) => path === `${etc}/${name}`))
      problems.push(`${etc}/${name} is about an entry point that is gone`);
  for (const { path, text } of reports) {
    entries++;
    const file = root + path;
    const kept = existsSync(file) ? readFileSync(file, 'utf8') : null;
    if (write && kept !== text) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
      console.log(`written: ${path}`);
    } else if (kept !== text) {
      problems.push(
        kept === null
          ? `${path} is missing; \`npm run api -- --write\` makes it`
          : `${path} is not what the package exports now; \`npm run api -- --write\`, and look at the difference`,
      );
    }
    const missing =
      history === 'none' ? null : missingChangeset(root, pkg.folder, pkg.manifest.name, path);
    if (missing !== null) problems.push(`${missing}; \`npm run changeset\` writes one`);
  }
}
for (const problem of problems) console.error(problem);
if (history !== 'whole')
  console.log(
    history === 'cut'
      ? 'a shallow clone: changesets were asked for only of changes that its history shows'
      : 'no Git history: the reports were compared, and no changesets asked for',
  );
console.log(`${entries} public surfaces, ${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
