import { EBUSY, EINVAL, EIO, ENOENT, ENOMEM, ENXIO, EPERM } from '@uvmkit/pmap';
import { describe, expect, it } from 'vitest';
import { Kit, type KitOptions, PAGE, R } from '../test/kit.ts';
import { NO_PAGE } from './page.ts';
import { SlotMap } from './swap-slots.ts';
import { SWAP_CTL, SWAP_NSWAP, SWAP_OFF, SWAP_ON, SWAP_STATS, swapctl } from './swapctl.ts';

/** Memory for some forty pages, and a process with sixty of them, each with its number in it. */
function setup(options: KitOptions & { slots?: number } = {}) {
  const kit = new Kit({ memory: 48 * PAGE, ...options });
  const { uvm } = kit;
  const disk = kit.swap((options.slots ?? 200) + 1);
  uvm.swap.on(disk, 0);
  kit.startDaemon();
  const proc = kit.proc();
  const va = proc.map({ length: 60 * PAGE });
  const fill = (pages = 60) => {
    for (let i = 0; i < pages; i++) proc.store(va + i * PAGE, i + 1);
  };
  const wrong = (pages = 60) => {
    const found = [];
    for (let i = 0; i < pages; i++) if (proc.load(va + i * PAGE) !== i + 1) found.push(i);
    return found;
  };
  const ctl = (command: number, backend = disk, misc = 0, superuser = true) =>
    kit.run(swapctl(uvm, superuser, command, backend, misc));
  return { kit, uvm, exp: kit.exp, swap: uvm.swap, disk, proc, va, fill, wrong, ctl };
}

describe('the slots of a device', () => {
  it('are given in runs, lowest first, and taken back in parts', () => {
    const slots = new SlotMap(10);
    expect([slots.alloc(4), slots.alloc(4), slots.alloc(4), slots.alloc(2)]).toEqual([0, 4, -1, 8]);
    slots.free(1, 2);
    slots.free(4, 1);
    expect([slots.alloc(3), slots.alloc(2), slots.alloc(1), slots.alloc(1)]).toEqual([
      -1, 1, 4, -1,
    ]);
    expect(() => new SlotMap(3).free(1, 1)).toThrow('slot 1 is not in use');
  });
});

describe('swap devices', () => {
  it('are used by priority, and in turn within one', () => {
    const s = setup();
    const devices = [s.kit.swap(6, 'a'), s.kit.swap(6, 'b'), s.kit.swap(6, 'c')];
    s.swap.on(devices[0]!, 2);
    s.swap.on(devices[1]!, 1);
    s.swap.on(devices[2]!, 1);
    s.swap.control(s.disk, 5);
    const from = (count: number, less = false) => {
      const run = s.swap.alloc(count, less);
      return run === null ? null : `${s.swap.deviceOf(run.slot).backend.name}${run.count}`;
    };
    expect([from(2), from(2), from(2), from(2)]).toEqual(['b2', 'c2', 'b2', 'c2']);
    expect([from(2), from(2), from(2)]).toEqual(['a2', 'a2', 'wd0b2']);
    expect(from(199)).toBe(null);
    expect(from(199, true)).toBe('b1');
  });

  it('answer swapctl(2)', () => {
    const s = setup();
    const other = s.kit.swap(11, 'wd1b');
    expect(s.ctl(SWAP_NSWAP).value).toBe(1);
    expect(s.ctl(SWAP_ON, other, 3, false).error).toBe(EPERM);
    expect(s.ctl(SWAP_ON, other, 3).error).toBe(0);
    expect(s.ctl(SWAP_ON, other, 3).error).toBe(EBUSY);
    expect(s.ctl(SWAP_ON, s.kit.swap(1)).error).toBe(EINVAL);
    expect(s.ctl(99).error).toBe(EINVAL);
    expect(s.kit.run(swapctl(s.uvm, true, SWAP_ON, null, 0)).error).toBe(EINVAL);
    expect(s.ctl(SWAP_CTL, s.disk, 7).error).toBe(0);
    expect(s.ctl(SWAP_STATS, s.disk, 9, false).entries).toEqual([
      { path: 'wd1b', priority: 3, npages: 10, inuse: 0, enabled: true },
      { path: 'wd0b', priority: 7, npages: 200, inuse: 0, enabled: true },
    ]);
    expect(s.ctl(SWAP_STATS, s.disk, 1).value).toBe(1);
    expect(s.exp.swpages).toBe(210);
    expect(s.ctl(SWAP_OFF, other).error).toBe(0);
    expect(s.ctl(SWAP_OFF, other).error).toBe(ENXIO);
    expect(s.ctl(SWAP_CTL, other).error).toBe(ENOENT);
    expect([s.exp.swpages, s.exp.nswapdev]).toEqual([200, 1]);
    s.kit.check();
  });

  it('bring anons with them, and what was brought is there for the next', () => {
    const s = setup();
    const { nanon } = s.exp;
    const other = s.kit.swap(11);
    s.swap.on(other, 0);
    expect(s.exp.nanon).toBe(nanon + 10);
    expect(s.ctl(SWAP_OFF, other).error).toBe(0);
    expect([s.exp.nanon, s.exp.nanonneeded]).toEqual([nanon + 10, nanon]);
    s.swap.on(other, 0);
    expect([s.exp.nanon, s.exp.nanonneeded]).toEqual([nanon + 10, nanon + 10]);
  });
});

describe('memory that does not fit', () => {
  it('goes to swap in clusters of 64 KB and comes back', () => {
    const s = setup({ memory: 256 * PAGE, slots: 400 });
    const va = s.proc.map({ length: 300 * PAGE });
    const written: number[] = [];
    for (let i = 0; i < 300; i++) {
      s.proc.store(va + i * PAGE, i & 0xff);
      for (const { kind, pages } of s.kit.disk.pending) if (kind === 'write') written.push(pages);
    }
    s.kit.settle();
    s.kit.check();
    expect(Math.max(...written)).toBe(16);
    expect(s.exp.pgswapout).toBeGreaterThan(40);
    for (let i = 0; i < 300; i++) expect(s.proc.load(va + i * PAGE)).toBe(i & 0xff);
    expect(s.exp.pgswapin).toBeGreaterThan(40);
    s.kit.check();
  });

  it('keeps its slot while it is clean, and is written again when it is not', () => {
    const s = setup();
    s.fill();
    s.kit.settle();
    const { anons } = s.uvm;
    const at = [...Array(60).keys()].find(
      (i) => anons.page[s.proc.anon(s.va + i * PAGE)] === NO_PAGE,
    )!;
    const anon = s.proc.anon(s.va + at * PAGE);
    const slot = anons.swslot[anon];
    expect(s.proc.load(s.va + at * PAGE)).toBe(at + 1);
    expect(anons.swslot[anon]).toBe(slot);
    s.proc.store(s.va + at * PAGE, 200);
    s.kit.check();
    expect(s.wrong()).toEqual([at]);
    s.kit.check();
  });

  it('is lost where swap cannot be read: EIO, now and for ever, and the slot is bad', () => {
    const s = setup();
    s.fill();
    s.kit.settle();
    const at = [...Array(60).keys()].find(
      (i) => s.uvm.anons.page[s.proc.anon(s.va + i * PAGE)] === NO_PAGE,
    )!;
    s.disk.readError = EIO;
    expect(s.proc.try(s.va + at * PAGE, R)).toBe(EIO);
    s.disk.readError = 0;
    expect(s.proc.try(s.va + at * PAGE, R)).toBe(EIO);
    expect(s.swap.bad).toBe(1);
    s.kit.check();
    s.proc.exit();
    s.kit.settle();
    s.kit.check({ idle: true });
    expect(s.exp.swpginuse).toBe(1);
    expect(s.ctl(SWAP_OFF).error).toBe(0);
    expect([s.exp.swpginuse, s.swap.bad]).toEqual([0, 0]);
    s.kit.check({ idle: true });
  });

  it('stays where it is if swap cannot be written, and goes to other slots', () => {
    const s = setup();
    s.disk.writeError = EIO;
    let failures = 0;
    s.kit.events.watch(() => undefined);
    const deliver = s.kit.disk.deliver.bind(s.kit.disk);
    s.kit.disk.deliver = (...given) => {
      if (++failures > 3) s.disk.writeError = 0;
      return deliver(...given);
    };
    s.fill();
    expect(s.wrong()).toEqual([]);
    expect(s.swap.bad).toBeGreaterThan(0);
    s.kit.settle();
    s.kit.check();
  });

  it('is refused with ENOMEM when swap is full, too, and what is there stays right', () => {
    const s = setup({ slots: 10 });
    let stored = 0;
    while (stored < 60 && s.proc.try(s.va + stored * PAGE, R | 2) === 0) {
      s.proc.store(s.va + stored * PAGE, stored + 1);
      stored++;
    }
    expect(stored).toBeGreaterThan(40);
    expect(stored).toBeLessThan(60);
    expect(s.proc.try(s.va + stored * PAGE, R)).toBe(ENOMEM);
    s.kit.check();
    // What is on swap cannot come in either, until something else goes.
    s.proc.munmap(s.va, 20 * PAGE);
    for (let i = 20; i < stored; i++) expect(s.proc.load(s.va + i * PAGE)).toBe(i + 1);
    expect(s.proc.try(s.va + stored * PAGE, R)).toBe(0);
    s.kit.check();
  });

  it('is refused with ENOMEM, not waited for, when bad slots are all there are', () => {
    const s = setup({ slots: 10 });
    s.disk.writeError = EIO;
    let stored = 0;
    while (stored < 60 && s.proc.try(s.va + stored * PAGE, R | 2) === 0) stored++;
    expect([s.swap.bad, s.swap.full]).toEqual([10, true]);
    expect(stored).toBeLessThan(60);
    s.kit.check();
  });
});

describe('taking a device away', () => {
  it('brings everything back in', () => {
    const s = setup({ memory: 80 * PAGE });
    s.fill(60);
    const late = s.proc.map({ length: 40 * PAGE });
    for (let i = 0; i < 40; i++) s.proc.store(late + i * PAGE, i);
    s.kit.settle();
    s.proc.munmap(late, 40 * PAGE);
    expect(s.exp.swpgonly).toBeGreaterThan(0);
    expect(s.ctl(SWAP_OFF).error).toBe(0);
    expect([s.exp.swpginuse, s.exp.swpgonly, s.exp.swpages]).toEqual([0, 0, 0]);
    expect(s.wrong()).toEqual([]);
    s.kit.check();
  });

  it('moves it to another, and leaves everything as it was if there is no room', () => {
    const s = setup();
    s.fill();
    expect(s.ctl(SWAP_OFF).error).toBe(ENOMEM);
    expect(s.swap.devices[0]!.enabled).toBe(true);
    s.kit.check();
    s.swap.on(s.kit.swap(100, 'wd1b'), 1);
    expect(s.ctl(SWAP_OFF).error).toBe(0);
    expect(s.swap.devices.map(({ backend }) => backend.name)).toEqual(['wd1b']);
    s.kit.settle();
    s.kit.check();
    expect(s.wrong()).toEqual([]);
  });

  it('is refused while somebody is at it, and waits for what is on its way out, dying or not', () => {
    const s = setup();
    s.swap.on(s.kit.swap(100, 'wd1b'), 1);
    const child = s.proc.fork();
    s.fill();
    const first = s.kit.start(swapctl(s.uvm, true, SWAP_OFF, s.disk, 0));
    expect(s.ctl(SWAP_OFF).error).toBe(EBUSY);
    s.kit.start(
      (function* () {
        child.exit();
        s.proc.exit();
        yield* [];
      })(),
    );
    s.kit.settle();
    expect(first.value?.error).toBe(0);
    s.kit.check({ idle: true });
  });
});
