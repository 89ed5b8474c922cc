import { readFileSync, writeFileSync } from 'node:fs';
import { type Lock, missingFromLock } from './lock.ts';
import { root } from './workspace.ts';

// Run by `npm run lock`: adds to package-lock.json what npm left out of it.

const file = new URL('package-lock.json', root);
const lock = JSON.parse(readFileSync(file, 'utf8')) as Lock;
const missing = missingFromLock(lock);
const names = Object.keys(missing);
if (names.length > 0) {
  const entries = Object.entries({ ...lock.packages, ...missing });
  lock.packages = Object.fromEntries(entries.toSorted(([a], [b]) => a.localeCompare(b, 'en')));
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
}
console.log(`package-lock.json: ${names.length} builds for other platforms added`);
