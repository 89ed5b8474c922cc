/**
 * `@uvmkit/cli`: the `uvmkit` command. {@link run} is all of it, for whoever wants it inside another program.
 */
export { type Io, type Output, processIo } from './io.ts';
export { EXIT_INPUT, EXIT_MISMATCH, EXIT_OK, run } from './program.ts';
