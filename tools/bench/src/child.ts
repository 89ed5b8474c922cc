import { measureAll, measurePolicy } from './figures.ts';

// One port and one wiring policy a process, so that no call site of the access path sees two classes.
const [arch = '', policy] = process.argv.slice(2);
process.send?.(policy === undefined ? await measureAll(arch) : await measurePolicy(arch, policy));
