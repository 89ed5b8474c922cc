import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Registry } from '../src/registry.ts';
import { run } from '../src/run.ts';

/** A stranger's project: a folder of its own, in which packages come from the registry only. */
export class Consumer {
  readonly folder: string;
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.folder = mkdtempSync(join(tmpdir(), 'uvmkit-consumer-'));
    this.#registry = registry;
    this.write('package.json', '{ "name": "consumer", "private": true, "type": "module" }\n');
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  install(...names: string[]): void {
    this.run('npm', 'install', '--silent', ...names);
  }

  /** The version of a package that is installed. */
  installed(name: string): string {
    const path = join(this.folder, 'node_modules', name, 'package.json');
    return (JSON.parse(readFileSync(path, 'utf8')) as { readonly version: string }).version;
  }

  run(program: string, ...args: string[]): string {
    return run(program, args, { cwd: this.folder, env: this.#registry.env });
  }

  close(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** What a README tells a reader to type, and what it says will come of it. */
export interface Example {
  /** What is to be installed. */
  readonly install: readonly string[];
  readonly code: string;
  /** What the comments beside `console.log` say is written, line for line. */
  readonly output: string;
}

/**
 * Reads the example of a README: its first block of TypeScript that says what it prints, and the packages of its first `npm install`.
 *
 * @throws Error if there is none of either: says of which
 */
export function exampleOf(readme: string, name: string): Example {
  const blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map((found) => found[1]!);
  const code = blocks.find((block) => /^console\.log\(.*\); \/\/ /m.test(block));
  const install = /^npm install (?:--global )?([^#\n]+)/m.exec(readme)?.[1];
  if (code === undefined)
    throw new Error(`the README of ${name} has no block of TypeScript that prints`);
  if (install === undefined) throw new Error(`the README of ${name} does not say what to install`);
  const output = [...code.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map((found) => found[1]);
  return { install: install.trim().split(/ +/), code, output: output.join('\n') };
}
