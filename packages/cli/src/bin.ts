#!/usr/bin/env node
import { processIo } from './io.ts';
import { run } from './program.ts';

// Whoever reads the output may have enough of it before it ends.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
process.exitCode = await run(process.argv.slice(2), processIo());
