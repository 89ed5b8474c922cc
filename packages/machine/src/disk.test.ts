import { EIO, EventStream, PhysicalMemory } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { Clock } from './clock.ts';
import { Disk, type DiskOptions, SECTOR } from './disk.ts';
import { Random } from './random.ts';

function setup(options: Partial<DiskOptions> = {}, seed = 1) {
  const memory = new PhysicalMemory(1 << 20, 4096);
  const clock = new Clock();
  const events = new EventStream();
  const disk = new Disk(memory, clock, new Random(seed), events, {
    size: 1 << 20,
    seek: 1000,
    rotation: 0,
    transfer: 10,
    ...options,
  });
  const run = (): void => {
    while (clock.skip());
  };
  return { memory, clock, events, disk, run };
}

describe('Disk', () => {
  it('moves bytes when the transfer is done, not before', () => {
    const { memory, disk, run } = setup();
    disk.poke(4096, new Uint8Array([1, 2, 3]));
    let error = -1;
    disk.transfer([{ at: 4096, pa: 8192, length: 4096 }], false, (e) => (error = e));
    expect(memory.read8(8192)).toBe(0);
    expect(error).toBe(-1);
    run();
    expect(error).toBe(0);
    expect([...memory.bytes.subarray(8192, 8196)]).toEqual([1, 2, 3, 0]);
  });

  it('writes what RAM holds when the transfer is done, and leaves the rest of the sector', () => {
    const { memory, disk, run } = setup();
    disk.poke(0, new Uint8Array(SECTOR).fill(9));
    disk.transfer([{ at: 0, pa: 0, length: 3 }], true, () => {});
    memory.bytes.set([5, 6, 7]);
    run();
    const bytes = new Uint8Array(5);
    disk.peek(0, bytes);
    expect([...bytes]).toEqual([5, 6, 7, 9, 9]);
  });

  it('takes a seek to get somewhere else, and none to go on', () => {
    const { clock, disk, run } = setup();
    disk.transfer([{ at: 0, pa: 0, length: 1024 }], false, () => {});
    run();
    expect(clock.now).toBe(20);
    disk.transfer([{ at: 1024, pa: 0, length: 512 }], false, () => {});
    run();
    expect(clock.now).toBe(30);
    disk.transfer([{ at: 0, pa: 0, length: 512 }], false, () => {});
    run();
    expect(clock.now).toBe(1040);
  });

  it('draws the rotational delay from the seed', () => {
    const time = (seed: number): number => {
      const { clock, disk, run } = setup({ rotation: 1e6 }, seed);
      disk.transfer([{ at: 8192, pa: 0, length: 512 }], false, () => {});
      run();
      return clock.now;
    };
    expect(time(1)).toBe(time(1));
    expect(time(1)).not.toBe(time(2));
    expect(time(1)).toBeLessThanOrEqual(1000 + 1e6 + 10);
  });

  it('serves transfers one after the other, in the order in which they came', () => {
    const { clock, disk, run } = setup();
    const done: string[] = [];
    disk.transfer([{ at: 512, pa: 0, length: 512 }], false, () => done.push(`a@${clock.now}`));
    disk.transfer([{ at: 0, pa: 0, length: 512 }], false, () => done.push(`b@${clock.now}`));
    run();
    expect(done).toEqual(['a@1010', 'b@2020']);
  });

  it('moves nothing when a transfer fails', () => {
    const { memory, disk, run } = setup();
    disk.poke(0, new Uint8Array([1]));
    disk.failure = (at, length, write) => (at === 512 && length === 512 && !write ? EIO : 0);
    const errors: number[] = [];
    const extents = [
      { at: 0, pa: 0, length: 512 },
      { at: 512, pa: 4096, length: 512 },
    ];
    disk.transfer(extents, false, (error) => errors.push(error));
    disk.transfer(extents, true, (error) => errors.push(error));
    run();
    expect(errors).toEqual([EIO, 0]);
    expect(memory.read8(0)).toBe(0);
    expect(disk.stats).toEqual({ reads: 0, writes: 1, sectorsRead: 0, sectorsWritten: 2 });
  });

  it('ends an empty transfer at once, but not before the call returns', () => {
    const { clock, disk, run } = setup();
    let done = false;
    disk.transfer([], false, () => (done = true));
    expect(done).toBe(false);
    run();
    expect(done).toBe(true);
    expect(clock.now).toBe(0);
  });

  it('tells of each transfer when it begins and when it ends', () => {
    const { events, disk, run } = setup();
    const seen: string[] = [];
    events.watch((name, a, b, c, d) => seen.push(`${name} ${a} ${b} ${c} ${d}`));
    disk.transfer([{ at: 1024, pa: 0, length: 512 }], true, () => {});
    run();
    expect(seen).toEqual(['io.start 0 2 512 1', 'io.done 0 2 512 0']);
  });

  it('refuses what is not on the disk', () => {
    const { disk } = setup();
    const transfer = (at: number, length: number) => (): void =>
      disk.transfer([{ at, pa: 0, length }], false, () => {});
    expect(transfer(1, 512)).toThrow(/given 512 bytes at 1/);
    expect(transfer(1 << 20, 512)).toThrow(RangeError);
    expect(transfer((1 << 20) - 512, 1024)).toThrow(RangeError);
    expect(() => setup({ size: 1000 })).toThrow(/multiple of 512, given 1000/);
  });

  it('reads zeroes where nothing was written, and clears what was', () => {
    const { disk } = setup();
    const bytes = new Uint8Array(200_000);
    disk.poke(0, bytes.fill(1));
    disk.clear(1000, 150_000);
    disk.peek(0, bytes);
    expect([bytes[999], bytes[1000], bytes[65_536], bytes[150_999], bytes[151_000]]).toEqual([
      1, 0, 0, 0, 1,
    ]);
  });
});
