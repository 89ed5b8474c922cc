#!/usr/bin/env node
import { processIo } from './io.ts';
import { EXIT_OK, run } from './program.ts';

// Whoever reads the output may have enough of it before it ends.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
const args = process.argv.slice(2);
const io = processIo();
let code = await run(args, io);
if (args.length === 0 && code === EXIT_OK) {
  // Whoever only looks sees that programs run, and then a little of why: a slice of the conformance kit.
  io.stdout.write(
    '\nThe ports held against the contract that UVM relies on (all of it: uvmkit conform)\n\n',
  );
  code = await run(['conform', '--filter', 'PMAP-RANDOM', '--effort', '0.1'], io);
}
process.exitCode = code;
