/**
 * Where memory first differs from what it should hold, word by word as far as both are aligned.
 *
 * @param at byte of `memory` to begin at
 * @returns an index into `wanted`, or −1
 */
export function firstDifference(memory: Uint8Array, at: number, wanted: Uint8Array): number {
  const start = memory.byteOffset + at;
  let done = 0;
  if (start % 4 === 0 && wanted.byteOffset % 4 === 0) {
    const words = wanted.length >>> 2;
    const there = new Int32Array(memory.buffer, start, words);
    const here = new Int32Array(wanted.buffer, wanted.byteOffset, words);
    let word = 0;
    while (word < words && there[word] === here[word]) word++;
    done = word * 4;
  }
  while (done < wanted.length && memory[at + done] === wanted[done]) done++;
  return done === wanted.length ? -1 : done;
}
