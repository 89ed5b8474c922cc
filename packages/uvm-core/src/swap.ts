import {
  EBUSY,
  EINVAL,
  EIO,
  ENOENT,
  ENOMEM,
  type Errno,
  ENXIO,
  KernelPanic,
  type Pa,
} from '@uvmkit/pmap';
import { SWSLOT_BAD } from './anon.ts';
import { swapOffPageIn } from './swap-off.ts';
import { SlotMap } from './swap-slots.ts';
import type { Sleeping } from './types.ts';
import type { Uvm } from './uvm.ts';

/** Somewhere to swap to: a disk partition or a file, in pages. Reads and writes take their time, as `VnodeOps` do. */
export interface SwapBackend {
  /** Path or device name, for swapctl and panics. */
  readonly name: string;
  /** Pages it holds, the first of which (label, boot block) is not used. */
  readonly pages: number;
  /** Reads consecutive pages from page `index` on; `done` is called later, once. */
  read(index: number, pas: readonly Pa[], done: (error: Errno) => void): void;
  write(index: number, pas: readonly Pa[], done: (error: Errno) => void): void;
}

/** One swap device (`struct swapdev`). */
export interface SwapDevice {
  readonly backend: SwapBackend;
  priority: number;
  /** Slots are taken from it. */
  enabled: boolean;
  /** Its first slot in the drum, the number space that all devices share. */
  readonly drumOffset: number;
  /** Slots it has. */
  readonly npages: number;
  /** Slots in use, bad ones included. */
  npginuse: number;
  /** Slots that failed and are never used again. */
  npgbad: number;
  readonly slots: SlotMap;
}

/** A run of slots. */
export interface SlotRun {
  readonly slot: number;
  readonly count: number;
}

/**
 * Swap space (uvm_swap.c): devices in order of priority, and the slots on them. A slot is one page; slot 0 is none.
 *
 *     drum:   0 │ 1 … 1023 │ 1024 … 5119 │ …
 *             – │  device  │   device    │
 */
export class Swap {
  readonly #uvm: Uvm;
  /** By priority, lowest first; within one in the order in which they are used next. */
  #devices: SwapDevice[] = [];
  #nextDrum = 1;
  #bad = 0;

  constructor(uvm: Uvm) {
    this.#uvm = uvm;
  }

  get devices(): readonly SwapDevice[] {
    return this.#devices;
  }

  /** True if every slot holds data that is nowhere else, or is bad. */
  get full(): boolean {
    const { exp } = this.#uvm;
    return exp.swpgonly + this.#bad >= exp.swpages;
  }

  /** Bad slots, on all devices. */
  get bad(): number {
    return this.#bad;
  }

  /**
   * Adds a device (SWAP_ON).
   *
   * @returns EBUSY if it is there already, EINVAL if it has no page to spare
   */
  on(backend: SwapBackend, priority: number): Errno {
    if (this.#devices.some((device) => device.backend === backend)) return EBUSY;
    const npages = backend.pages - 1;
    if (npages < 1) return EINVAL;
    const device: SwapDevice = {
      backend,
      priority,
      enabled: true,
      drumOffset: this.#nextDrum,
      npages,
      npginuse: 0,
      npgbad: 0,
      slots: new SlotMap(npages),
    };
    this.#nextDrum += npages;
    this.#insert(device);
    const { exp, anons } = this.#uvm;
    exp.nswapdev++;
    exp.swpages += npages;
    anons.add(npages);
    return 0;
  }

  /** Changes a device's priority (SWAP_CTL). ENOENT if it is not there. */
  control(backend: SwapBackend, priority: number): Errno {
    const device = this.#byBackend(backend);
    if (device === undefined) return ENOENT;
    this.#devices = this.#devices.filter((other) => other !== device);
    device.priority = priority;
    this.#insert(device);
    return 0;
  }

  /**
   * Takes a device away (SWAP_OFF): everything on it is brought in first.
   *
   * @returns ENXIO if it is not there, EBUSY if it is being taken away already, ENOMEM if memory does not hold what is on it (it stays then)
   */
  *off(backend: SwapBackend): Sleeping<Errno> {
    const device = this.#byBackend(backend);
    if (device === undefined) return ENXIO;
    if (!device.enabled) return EBUSY;
    device.enabled = false;
    const { exp, anons } = this.#uvm;
    const range = { first: device.drumOffset, beyond: device.drumOffset + device.npages };
    if (!(yield* swapOffPageIn(this.#uvm, range.first, range.beyond))) {
      device.enabled = true;
      return ENOMEM;
    }
    if (device.npginuse !== device.npgbad)
      throw new KernelPanic('swap_off: slots still in use', {
        npginuse: device.npginuse,
        npgbad: device.npgbad,
      });
    exp.swpages -= device.npages;
    exp.swpginuse -= device.npgbad;
    exp.nswapdev--;
    this.#bad -= device.npgbad;
    anons.remove(device.npages);
    this.#devices = this.#devices.filter((other) => other !== device);
    return 0;
  }

  /**
   * Takes `count` consecutive slots (uvm_swap_alloc), from the first device, by priority and in turn, that has them.
   *
   * @param less one slot will do if there is no such run
   * @returns the run, or null
   */
  alloc(count: number, less: boolean): SlotRun | null {
    for (const device of this.#devices) {
      if (!device.enabled || device.npginuse + count > device.npages) continue;
      const index = device.slots.alloc(count);
      if (index < 0) continue;
      device.npginuse += count;
      this.#uvm.exp.swpginuse += count;
      // Devices of one priority take turns.
      this.#devices = this.#devices.filter((other) => other !== device);
      this.#insert(device);
      return { slot: device.drumOffset + index, count };
    }
    return less && count > 1 ? this.alloc(1, false) : null;
  }

  /** Gives slots back (uvm_swap_free). A bad slot is never given back. */
  free(slot: number, count: number): void {
    if (slot === SWSLOT_BAD) return;
    const device = this.deviceOf(slot);
    device.slots.free(slot - device.drumOffset, count);
    device.npginuse -= count;
    this.#uvm.exp.swpginuse -= count;
  }

  /** The slots failed: they stay in use for ever (uvm_swap_markbad). */
  markBad(slot: number, count: number): void {
    this.deviceOf(slot).npgbad += count;
    this.#bad += count;
  }

  /**
   * Reads a slot into a page. `swpgonly` falls: from now on the data is in memory too, or, after a failure, lost (the caller marks the slot bad).
   */
  get(page: number, slot: number, done: (error: Errno) => void): void {
    const { exp, pages } = this.#uvm;
    exp.nswget++;
    exp.swpgonly--;
    const device = this.deviceOf(slot);
    const pas = [pages.pageAddress(page)];
    device.backend.read(slot - device.drumOffset + 1, pas, (error) => done(error === 0 ? 0 : EIO));
  }

  /** Writes pages to consecutive slots. */
  put(run: readonly number[], slot: number, done: (error: Errno) => void): void {
    const { pages } = this.#uvm;
    const device = this.deviceOf(slot);
    const pas = run.map((page) => pages.pageAddress(page));
    for (const pa of pas) this.#uvm.syncForDevice(pa);
    device.backend.write(slot - device.drumOffset + 1, pas, done);
  }

  /** The device that a slot is on. */
  deviceOf(slot: number): SwapDevice {
    const device = this.find(slot);
    if (device === undefined)
      throw new KernelPanic('swapdrum_getsdp: slot is on no device', { slot });
    return device;
  }

  /** Likewise, or undefined if there is none. */
  find(slot: number): SwapDevice | undefined {
    return this.#devices.find(
      ({ drumOffset, npages }) => slot >= drumOffset && slot < drumOffset + npages,
    );
  }

  #byBackend(backend: SwapBackend): SwapDevice | undefined {
    return this.#devices.find((device) => device.backend === backend);
  }

  /** Behind the devices of its priority. */
  #insert(device: SwapDevice): void {
    const at = this.#devices.findIndex((other) => other.priority > device.priority);
    this.#devices.splice(at < 0 ? this.#devices.length : at, 0, device);
  }
}
