import { fork } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Measured } from './figures.ts';
import { measureHost } from './host.ts';
import { PORTS } from './ports.ts';
import { type Row, rows, table } from './report.ts';

const { values } = parseArgs({
  options: { arch: { type: 'string' }, write: { type: 'boolean', default: false } },
});
const wanted = values.arch?.split(',') ?? [...PORTS.keys()];
for (const arch of wanted)
  if (!PORTS.has(arch)) {
    console.error(`bench: no architecture ${arch}; there are ${[...PORTS.keys()].join(', ')}`);
    process.exit(2);
  }

/** Measures one port in a process of its own. */
async function inChild(arch: string): Promise<Measured> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('./child.js', import.meta.url)), [arch]);
    child.on('message', (measured) => resolve(measured as Measured));
    child.on('exit', (code) => {
      if (code !== 0) reject(new Error(`the bench of ${arch} ended with status ${code}`));
    });
  });
}

const host = await measureHost();
const all: Row[] = [];
for (const arch of wanted) {
  console.error(`measuring ${arch} …`);
  all.push(...rows(await inChild(arch), host));
}
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
