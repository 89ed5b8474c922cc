import type { Port } from '@uvmkit/pmap';
import { MAP_ANON, MAP_PRIVATE, MAP_SHARED, MS_SYNC, SWAP_ON } from '@uvmkit/uvm-core';
import type { DiskOptions } from '../src/disk.ts';
import { Machine } from '../src/machine.ts';
import type { Process } from '../src/process.ts';
import { Random } from '../src/random.ts';

/** Bytes that several processes see: the model of a shared page, or of a page of a file. */
type Cell = { value: number };

/** What one process must read at the first byte of one page, and whether it shares it. */
interface ModelPage {
  cell: Cell;
  readonly shared: boolean;
  writable: boolean;
  /** A private page of a file that its process has not written to yet. */
  shows: boolean;
}

interface Actor {
  readonly process: Process;
  /** By page address. */
  readonly pages: Map<number, ModelPage>;
}

const FILE_PAGES = 12;
/** Bytes that the hog uses. */
const HOG = 5 << 20;

interface Hog {
  readonly process: Process;
  readonly start: number;
  /** How far it has come in this round, bytes. */
  at: number;
  /** Rounds done: what every page holds that this round has not reached. */
  round: number;
}

/** Processes that act at random, and the model of what they must see. */
export class World {
  readonly machine: Machine;
  /** Bytes compared with the model so far. */
  checked = 0;
  readonly #random: Random;
  readonly #actors: Actor[] = [];
  readonly #page: number;
  readonly #file: Cell[];
  #hog: Hog | null = null;
  readonly #boot: { free: number; nfreeanon: number };

  /**
   * @param pressure with a quarter of the memory, and a process that uses more than all of it, so that everything goes to swap now and then
   * @param amnesia how likely every mapping is to be forgotten at a step
   */
  constructor(port: Port, seed: number, pressure = false, amnesia = 0) {
    const speed = { seek: 1000, rotation: 1000, transfer: 10 };
    const memory = pressure ? 4 << 20 : 16 << 20;
    this.machine = new Machine({ port, memory, seed, disk: speed, amnesia });
    this.#random = new Random(seed * 7919);
    this.#page = port.layout.pageSize;
    const { exp } = this.machine.uvm;
    this.#boot = { free: exp.free, nfreeanon: exp.nfreeanon };
    const bytes = new Uint8Array(FILE_PAGES * this.#page);
    this.#file = Array.from({ length: FILE_PAGES }, (_, i) => ({ value: i + 1 }));
    this.#file.forEach((cell, i) => (bytes[i * this.#page] = cell.value));
    this.machine.fs.create('f', bytes);
    this.#actors.push({ process: this.machine.spawn(), pages: new Map() });
    if (pressure) this.#startHog(speed);
  }

  /** Has a process go through 5 MB again and again, and swap to go with it. */
  #startHog(speed: Partial<DiskOptions>): void {
    const disk = this.machine.addDisk({ ...speed, size: 32 << 20 });
    this.machine.addPartition('/dev/sd1b', disk);
    const process = this.machine.spawn({ superuser: true });
    this.#ok(process.sys.swapctl(SWAP_ON, '/dev/sd1b'));
    const start = this.#ok(process.sys.mmap(0, HOG, 3, MAP_ANON | MAP_PRIVATE));
    this.#hog = { process, start, at: 0, round: 0 };
  }

  /** The hog's next 256 KB: what it stored there the last time must be there still. */
  #feed(hog: Hog): void {
    const end = hog.at + (256 << 10);
    for (; hog.at < end; hog.at += this.#page) {
      const va = hog.start + hog.at;
      if (hog.process.load32(va) !== hog.round) throw new Error(`the hog lost a page at ${hog.at}`);
      hog.process.store32(va, hog.round + 1);
      this.checked++;
    }
    if (hog.at < HOG) return;
    hog.at = 0;
    hog.round++;
  }

  /** One act of one process. */
  step(): void {
    const actor = this.#actors[this.#random.below(this.#actors.length)]!;
    const acts = [
      () => this.#map(actor),
      () => this.#write(actor),
      () => this.#write(actor),
      () => this.#writeFile(actor),
      () => this.#unmap(actor),
      () => this.#protect(actor),
      () => this.#lock(actor),
      () => this.#sync(actor),
      () => this.#fork(actor),
      () => this.#exit(actor),
    ];
    acts[this.#random.below(acts.length)]!();
    if (this.#hog !== null) this.#feed(this.#hog);
    for (const other of this.#actors) this.#check(other);
  }

  /** Ends everything; what is missing then. */
  end(): { free: number; wired: number; amaps: number; anons: number } {
    for (const { process } of this.#actors) process.sys.exit();
    this.#hog?.process.sys.exit();
    this.machine.run();
    const { exp, amaps } = this.machine.uvm;
    const cached = this.machine.fs.lookup('f')!.vnode.npages;
    return {
      free: this.#boot.free - exp.free - cached,
      wired: exp.wired,
      amaps: amaps.size,
      // Each slot of swap brings an anon with it.
      anons: this.#boot.nfreeanon + exp.swpages - exp.nfreeanon,
    };
  }

  #ok(result: { error: number; value: number }): number {
    if (result.error !== 0) throw new Error(`a call failed with ${result.error}`);
    return result.value;
  }

  #anyPage(actor: Actor): [number, ModelPage] | null {
    const pages = [...actor.pages];
    return pages[this.#random.below(Math.max(1, pages.length))] ?? null;
  }

  #map({ process, pages }: Actor): void {
    if (pages.size > 40) return;
    const count = 1 + this.#random.below(6);
    const shared = this.#random.below(2) === 0;
    const flags = shared ? MAP_SHARED : MAP_PRIVATE;
    const length = count * this.#page;
    if (this.#random.below(2) === 0) {
      const va = this.#ok(process.sys.mmap(0, length, 3, MAP_ANON | flags));
      for (let i = 0; i < count; i++)
        pages.set(va + i * this.#page, {
          cell: { value: 0 },
          shared,
          writable: true,
          shows: false,
        });
      return;
    }
    const first = this.#random.below(FILE_PAGES - count + 1);
    const fd = this.#ok(process.sys.open('f', 2));
    const va = this.#ok(process.sys.mmap(0, length, 3, flags, fd, first * this.#page));
    this.#ok(process.sys.close(fd));
    for (let i = 0; i < count; i++)
      pages.set(va + i * this.#page, {
        cell: this.#file[first + i]!,
        shared,
        writable: true,
        shows: !shared,
      });
  }

  #write(actor: Actor): void {
    const found = this.#anyPage(actor);
    if (found === null || !found[1].writable) return;
    const [va, page] = found;
    const value = this.#random.below(256);
    actor.process.store8(va, value);
    if (page.shows) {
      page.cell = { value };
      page.shows = false;
    } else page.cell.value = value;
  }

  /** write(2), seen by everyone but those who have written to their private page. */
  #writeFile({ process }: Actor): void {
    // The kernel writes to pages by their physical addresses: a port whose caches do not see that must say how to tell them.
    const { port, syncForDevice } = this.machine.md;
    if (port.capabilities.cacheAlias !== 0 && syncForDevice === undefined) return;
    const index = this.#random.below(FILE_PAGES);
    const value = this.#random.below(256);
    const { userStack } = this.machine.md.port.layout;
    process.store8(userStack - 1, value);
    const fd = this.#ok(process.sys.open('f', 2));
    this.#ok(process.sys.pwrite(fd, userStack - 1, 1, index * this.#page));
    this.#ok(process.sys.close(fd));
    this.#file[index]!.value = value;
  }

  #unmap(actor: Actor): void {
    const found = this.#anyPage(actor);
    if (found === null) return;
    this.#ok(actor.process.sys.munmap(found[0], this.#page));
    actor.pages.delete(found[0]);
  }

  #protect(actor: Actor): void {
    const found = this.#anyPage(actor);
    if (found === null) return;
    const writable = this.#random.below(2) === 0;
    this.#ok(actor.process.sys.mprotect(found[0], this.#page, writable ? 3 : 1));
    found[1].writable = writable;
  }

  #lock(actor: Actor): void {
    const found = this.#anyPage(actor);
    if (found === null) return;
    const [va, page] = found;
    const { process } = actor;
    if (this.#random.below(3) > 0) process.sys.munlock(va, this.#page);
    else {
      this.#ok(process.sys.mlock(va, this.#page));
      // VM_FAULT_WIREMAX: a private page becomes its process' own.
      if (page.shows) {
        page.cell = { value: page.cell.value };
        page.shows = false;
      }
    }
  }

  #sync(actor: Actor): void {
    const found = this.#anyPage(actor);
    if (found !== null) this.#ok(actor.process.sys.msync(found[0], this.#page, MS_SYNC));
  }

  #fork(actor: Actor): void {
    if (this.#actors.length >= 6) return;
    const pid = this.#ok(actor.process.sys.fork());
    const pages = new Map<number, ModelPage>();
    for (const [va, page] of actor.pages) {
      const cell = page.shared || page.shows ? page.cell : { value: page.cell.value };
      pages.set(va, { ...page, cell });
    }
    this.#actors.push({ process: this.machine.processes.get(pid)!, pages });
  }

  #exit(actor: Actor): void {
    if (this.#actors.length < 2 || this.#random.below(3) > 0) return;
    actor.process.sys.exit();
    this.#actors.splice(this.#actors.indexOf(actor), 1);
  }

  #check({ process, pages }: Actor): void {
    for (const [va, { cell }] of pages) {
      const value = process.load8(va);
      this.checked++;
      if (value !== cell.value)
        throw new Error(
          `process ${process.pid} reads ${value} at 0x${va.toString(16)}, should read ${cell.value}`,
        );
    }
  }
}
