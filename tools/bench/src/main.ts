import { cpus } from 'node:os';
import { Bench } from 'tinybench';

/** The yardstick of every access path: a sequential read of a typed array, a million words a pass. */
const words = new Uint32Array(1 << 20);
let sink = 0;

const bench = new Bench({ name: 'uvmkit', time: 500 });
bench.add('typed-array read, 2^20 words', () => {
  let sum = 0;
  for (let i = 0; i < words.length; i++) sum = (sum + words[i]!) | 0;
  sink ^= sum;
});
await bench.run();

console.log(`Node ${process.version}, ${cpus()[0]?.model ?? 'unknown CPU'}`);
console.table(bench.table());
if (sink !== 0) throw new Error(`the array of zeros summed to ${sink}`);
