import { measureAll } from './figures.ts';

// One port a process, so that no call site of the access path sees two ports' classes.
const arch = process.argv[2] ?? '';
process.send?.(await measureAll(arch));
