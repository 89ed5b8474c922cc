import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { uvmkit } from './kept.ts';

/** What shows what the command prints, by its path from here, and how often. */
const GUIDES = [
  ['../../docs/wiring.md', 3],
  ['../README.md', 1],
] as const;
/** A terminal in a guide: a command, perhaps from one of its lines on, and what it prints. */
const TERMINAL =
  /^```console\n\$ uvmkit ([^\n|]+?)(?: \| sed -n '\/\^([^\n']+)\/,\$p')?\n.*?^```$/gms;
/** Boots some hundred machines. */
const MANY = { timeout: 120_000 };

/** What a command prints, without what every run says differently. */
async function printed(command: string, from: string | undefined): Promise<string> {
  const { code, out } = await uvmkit(...command.split(' '));
  expect(code).toBe(0);
  const lines = out.replaceAll(/ +[\d,]+ ms real$/gm, '').split('\n');
  const first = from === undefined ? 0 : lines.findIndex((line) => line.startsWith(from));
  return lines.slice(first).join('\n');
}

test.each(GUIDES)(
  '%s shows what the command prints (npx vitest -u writes it anew)',
  MANY,
  async (name, times) => {
    const path = fileURLToPath(new URL(name, import.meta.url));
    const guide = readFileSync(path, 'utf8');
    const terminals = [...guide.matchAll(TERMINAL)];
    expect(terminals).toHaveLength(times);
    let fresh = guide;
    for (const [terminal, command, from] of terminals) {
      const [opening, prompt] = terminal.split('\n');
      const output = await printed(command!, from);
      fresh = fresh.replace(terminal, () => `${opening}\n${prompt}\n${output}\`\`\``);
    }
    await expect(fresh).toMatchFileSnapshot(path);
  },
);
