import type { Layout } from '@uvmkit/pmap';
import { describe, expect, test } from 'vitest';
import { type Placement, placeRecording } from '../src/placement.ts';
import { openLines, SMALL_IMAGE } from './recordings.ts';

const LAYOUT: Layout = {
  pageSize: 4096,
  littleEndian: true,
  pointerSize: 4,
  userMin: 0,
  userMax: 0xc000_0000,
  userStack: 0xc000_0000,
  userHoles: [],
  kernelMin: 0xc000_0000,
  kernelMax: 0xffff_f000,
  maxDataSize: 1 << 30,
  maxStackSize: 32 << 20,
};

async function placed(
  layout: Partial<Layout>,
  lines: readonly string[] = SMALL_IMAGE,
): Promise<Placement> {
  const { survey } = await openLines([...lines, 'W befff', 'W beffe']);
  return placeRecording(survey, { ...LAYOUT, ...layout });
}

describe('a recorded address space on a machine', () => {
  test('stays where there is room, and the stack goes to the stack', async () => {
    const placement = await placed({});
    expect(placement.va(0x100)).toBe(0x100000);
    expect(placement.va(0x104)).toBe(0x104000);
    expect(placement.va(0xbefff)).toBe(0xc000_0000 - 4096);
    expect(placement.moved.map(({ what }) => what)).toEqual(['stack']);
  });

  test('moves as a whole when it lies above user space, later addresses with it', async () => {
    const lines = [
      ...SMALL_IMAGE,
      'S mmap 0 0x3000 3 34 -1 0 = 0x90000000',
      'S mmap 0x90001000 0x1000 1 50 -1 0 = 0x90001000',
    ];
    const placement = await placed({ userMax: 0x8000_0000, userStack: 0x8000_0000 }, lines);
    const base = placement.va(0x90000);
    expect(base).toBeLessThan(0x8000_0000);
    expect(placement.va(0x90001)).toBe(base + 4096);
    expect(placement.moved.map(({ from }) => from.start)).toContain(0x9000_0000);
  });

  test('moves out of a hole', async () => {
    const lines = [...SMALL_IMAGE, 'S mmap 0 0x3000 3 34 -1 0 = 0x50000000'];
    const placement = await placed(
      { userHoles: [{ start: 0x2000_0000, end: 0x6000_0000 }] },
      lines,
    );
    const base = placement.va(0x50000);
    expect(base < 0x2000_0000 || base >= 0x6000_0000).toBe(true);
    expect(base % (4 << 20)).toBe(0);
  });

  test('never lies where the stack may grow, nor on another island', async () => {
    const lines = [
      ...SMALL_IMAGE,
      'S mmap 0 0x3000 3 34 -1 0 = 0xbf500000',
      'S mmap 0 0x3000 3 34 -1 0 = 0x400000',
    ];
    const placement = await placed({}, lines);
    expect(placement.va(0xbf500)).toBeLessThan(0xc000_0000 - (32 << 20));
    expect(Math.abs(placement.va(0xbf500) - placement.va(0x400))).toBeGreaterThanOrEqual(0x3000);
  });

  test('is spread on larger pages where regions with different rights would share one', async () => {
    const lines = [
      'P 1 1',
      'I 100000 101000 r-x file /bin/t 0',
      'I 101000 102000 rw- file /bin/t 4096',
      'I befff000 bf000000 rw- stack limit bef00000',
    ];
    const placement = await placed({ pageSize: 8192 }, lines);
    expect(placement.spread).toBe(
      '/bin/t at 0x100000 (r-x) would share a page with /bin/t at 0x101000 (rw-)',
    );
    expect(placement.unit).toBe(8192);
    expect(placement.va(0x100)).toBe(0x200000);
    expect(placement.va(0x101)).toBe(0x202000);
  });

  test('keeps its addresses on larger pages where nothing is in the way', async () => {
    const lines = [
      'P 1 1',
      'I 100000 104000 r-x file /bin/t 0',
      'I 104000 106000 rw- file /bin/t 16384',
      'I befff000 bf000000 rw- stack limit bef00000',
    ];
    const small = await placed({ pageSize: 8192 }, lines);
    expect(small.spread).toBeNull();
    expect(small.unit).toBe(4096);
    expect(small.va(0x105)).toBe(0x105000);
    const large = await placed({ pageSize: 16_384 }, lines);
    expect(large.spread).toBeNull();
  });

  test.each([
    ['part of a page is unmapped', 'S munmap 0x300000 0x1000 = 0', /stays when the other part/],
    [
      'part of a page is protected',
      'S mprotect 0x301000 0x1000 1 = 0',
      /would share a page with r--/,
    ],
    [
      'part of a page is mapped anew',
      'S mmap 0x301000 0x1000 3 50 -1 0 = 0x301000',
      /anonymous memory at 0x300000 \(rw-\) would share/,
    ],
    ['part of a page is given up', 'S madvise 0x301000 0x1000 4 = 0', /keeps its contents/],
    [
      'a file shows from an odd page',
      'S mmap 0x400000 0x2000 1 18 3 0x1000 = 0x400000',
      /at another place in a page/,
    ],
  ])('is spread when later %s', async (_what, call, reason) => {
    const lines = [
      'P 1 1',
      'I 100000 102000 r-x anon',
      'I befff000 bf000000 rw- stack limit bef00000',
      'S openat -100 0x100000"/f" 0 = 3',
      'S mmap 0 0x2000 3 34 -1 0 = 0x300000',
    ];
    expect((await placed({ pageSize: 8192 }, lines)).spread).toBeNull();
    expect((await placed({ pageSize: 8192 }, [...lines, call])).spread).toMatch(reason);
  });

  test('is refused when there is no room', async () => {
    await expect(
      placed({ userMax: 0x20_0000, userStack: 0x20_0000, maxStackSize: 0x20_0000 }),
    ).rejects.toThrow(/has no room for \d+ bytes recorded at 0x00100000/);
    await expect(placed({ maxStackSize: 4096 })).rejects.toThrow(
      /bytes of stack, the machine has at most 4096/,
    );
  });
});
