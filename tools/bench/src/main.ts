import { fork } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { FaultFigures } from './accesses.ts';
import { type Measured, POLICIES } from './figures.ts';
import { measureHost } from './host.ts';
import { PORTS } from './ports.ts';
import { policyRows, type Row, rows, table } from './report.ts';

/** Where faults under each wiring policy are measured. */
const POLICY_ARCH = 'i386';

const { values } = parseArgs({
  options: { arch: { type: 'string' }, write: { type: 'boolean', default: false } },
});
const wanted = values.arch?.split(',') ?? [...PORTS.keys()];
for (const arch of wanted)
  if (!PORTS.has(arch)) {
    console.error(`bench: no architecture ${arch}; there are ${[...PORTS.keys()].join(', ')}`);
    process.exit(2);
  }

/** Measures one port, or faults of it under one wiring policy, in a process of its own. */
async function inChild<T>(...args: string[]): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('./child.js', import.meta.url)), args);
    child.on('message', (measured) => resolve(measured as T));
    child.on('exit', (code) => {
      if (code !== 0) reject(new Error(`the bench of ${args.join(' ')} ended with status ${code}`));
    });
  });
}

/** Faults under each wiring policy, on one MMU: what a policy adds is above the pmap. */
async function underPolicies(arch: string): Promise<readonly Row[]> {
  const measured = new Map<string, FaultFigures>();
  for (const policy of POLICIES.keys()) {
    console.error(`measuring ${arch} under ${policy} …`);
    measured.set(policy, await inChild<FaultFigures>(arch, policy));
  }
  return policyRows(arch, measured);
}

const host = await measureHost();
const all: Row[] = [];
for (const arch of wanted) {
  console.error(`measuring ${arch} …`);
  all.push(...rows(await inChild<Measured>(arch), host));
}
if (wanted.includes(POLICY_ARCH)) all.push(...(await underPolicies(POLICY_ARCH)));
const machine = `Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GB, ${process.platform}`;
const yardstick = typeof host === 'string' ? `The host's own faults are missing: ${host}.\n\n` : '';
const report = `${machine}\n\n${yardstick}${table(all)}\n`;
console.log(report);

if (values.write) {
  const readme = fileURLToPath(new URL('../README.md', import.meta.url));
  const text = await readFile(readme, 'utf8');
  await writeFile(
    readme,
    text.replace(/(<!-- figures -->\n)[^]*(<!-- \/figures -->)/, `$1\n${report}\n$2`),
  );
}
