import { describe, expect, it } from 'vitest';
import { CAUSE, judge, type Kind } from '../test/oracle.ts';
import { attempt, MAKE, type Name, rig } from '../test/rig.ts';

const KINDS: readonly [Kind, string][] = [
  ['load', 'r'],
  ['store', 'w'],
  ['fetch', 'x'],
];
/** mode, SUM, MXR. */
const STATES = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => ({
  user: (bits & 1) !== 0,
  sum: (bits & 2) !== 0,
  mxr: (bits & 4) !== 0,
}));

describe.each(['sv32', 'sv39'] as Name[])('%s, every leaf by every access', (name) => {
  const { bytes } = MAKE[name];
  const leaf = name === 'sv32' ? 0x11000 : 0x12000;
  const pointers = [
    [0x10000, 0x4401],
    [0x11000, 0x4801],
  ] as const;

  it.each(['hardware', 'software'] as const)('with A and D by %s', (accessedDirty) => {
    const made = rig(name, pointers.slice(0, name === 'sv32' ? 1 : 2), { accessedDirty });
    const { memory, mmu } = made;
    const wrong: string[] = [];
    let held = 0;
    for (let flags = 0; flags < 256; flags++)
      for (const state of STATES)
        for (const [kind, letter] of KINDS) {
          const va = 0x5000;
          const at = leaf + 5 * bytes;
          memory.writeLe32(at, 0x40000 | flags);
          mmu.flushAll();
          const access = `${letter}${state.user ? 'U' : 'S'}${state.sum ? ' sum' : ''}${state.mxr ? ' mxr' : ''}`;
          const { later, now } = judge(flags, kind, state);
          const granted = accessedDirty === 'hardware' ? later : now;
          const used = flags | (kind === 'store' ? 0xc0 : 0x40);
          const expected = granted
            ? [0x100000, 0x40000 | used, 0x100000]
            : [[CAUSE[kind], va], 0x40000 | flags, [CAUSE[kind], va]];
          const first = attempt(made, va, access);
          const entry = memory.readLe32(at);
          const got = [first, entry, attempt(made, va, access)];
          if (JSON.stringify(got) === JSON.stringify(expected)) held++;
          else wrong.push(`${flags.toString(16)} ${access}: ${JSON.stringify(got)}`);
        }
    expect(wrong).toEqual([]);
    expect(held).toBe(256 * 8 * 3);
  });

  it('a TLB entry is judged as the leaf is, whatever it was filled by', () => {
    const made = rig(name, pointers.slice(0, name === 'sv32' ? 1 : 2));
    const { memory, mmu } = made;
    const wrong: string[] = [];
    for (let flags = 0; flags < 256; flags++)
      for (const filler of STATES)
        for (const state of STATES)
          for (const [kind, letter] of KINDS) {
            memory.writeLe32(leaf + 5 * bytes, 0x40000 | flags | 0xc0);
            mmu.flushAll();
            attempt(made, 0x5000, `r${filler.user ? 'U' : 'S'}${filler.sum ? ' sum' : ''} mxr`);
            const access = `${letter}${state.user ? 'U' : 'S'}${state.sum ? ' sum' : ''}${state.mxr ? ' mxr' : ''}`;
            const got = attempt(made, 0x5000, access);
            const { later } = judge(flags | 0xc0, kind, state);
            if (later ? got === 0x100000 : Array.isArray(got) && got[0] === CAUSE[kind]) continue;
            wrong.push(`${flags.toString(16)} ${access}: ${JSON.stringify(got)}`);
          }
    expect(wrong).toEqual([]);
  });
});
