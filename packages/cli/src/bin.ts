#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command } from 'commander';

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  description: string;
  version: string;
};

const program = new Command('uvmkit')
  .description(manifest.description)
  .version(manifest.version)
  .action(() => program.outputHelp());

await program.parseAsync();
