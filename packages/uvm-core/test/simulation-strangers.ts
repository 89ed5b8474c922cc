import { type Errno, PMAP_KERNEL, type Va } from '@uvmkit/pmap';
import { uvmIo, vslock, vsunlock } from '../src/io.ts';
import { kernelWrite } from '../src/kernel-copy.ts';
import { loan, unloan } from '../src/loan.ts';
import type { VmMap } from '../src/map.ts';
import { type Kit, PAGE, type Proc, R, RW } from './kit.ts';
import { type Dice, SPOTS } from './simulation-model.ts';

/** At most so many of each are out at a time. */
const MOST = 3;

interface Transfer {
  readonly map: VmMap;
  readonly va: Va;
  readonly length: number;
}

/** What others do to a process' memory: tracers, borrowers in the kernel, devices, and a pmap that forgets. */
export class Strangers {
  readonly #kit: Kit;
  readonly #dice: Dice;
  readonly #loans: { readonly lent: readonly number[]; readonly bytes: readonly number[] }[] = [];
  #transfers: Transfer[] = [];

  constructor(kit: Kit, dice: Dice) {
    this.#kit = kit;
    this.#dice = dice;
  }

  /** A tracer writes a byte (ptrace). */
  trace(proc: Proc, va: Va, value: number): Errno {
    const bytes = Uint8Array.of(value);
    const move = (kva: Va) => kernelWrite(this.#kit.uvm, kva, bytes);
    return this.#kit.run(uvmIo(this.#kit.uvm, proc.space.map, va, 1, move)).error;
  }

  /** Lends a page to the kernel, which must find the same in it until the loan ends. */
  lend(proc: Proc, va: Va): void {
    if (this.#loans.length === MOST) return;
    const lent = this.#kit.run(loan(this.#kit.uvm, proc.space.map, va, PAGE, 'page'));
    if (typeof lent !== 'number') this.#loans.push({ lent, bytes: this.#bytes(lent[0]!) });
  }

  /** A transfer begins: the range stays in memory until it ends. Answers false if it cannot. */
  transfer(proc: Proc, va: Va, length: number): boolean {
    if (this.#transfers.length === MOST) return false;
    const { map } = proc.space;
    const access = this.#dice.chance(2) ? R : RW;
    if (this.#kit.run(vslock(this.#kit.uvm, map, va, length, access)) !== 0) return false;
    this.#transfers.push({ map, va, length });
    return true;
  }

  /** A loan or a transfer ends. */
  finishOne(): void {
    if (this.#loans.length > 0 && this.#dice.chance(2)) this.#giveBack();
    else if (this.#transfers.length > 0) this.#end(this.#dice.pick(this.#transfers));
  }

  /** Whoever has anything of the map, or of any map, gives it back. */
  finish(map: VmMap | null): void {
    if (map === null) while (this.#loans.length > 0) this.#giveBack();
    for (const transfer of [...this.#transfers])
      if (map === null || transfer.map === map) this.#end(transfer);
  }

  /** A pmap forgets all that it may. */
  forget(proc: Proc | null): void {
    const { pmap, port } = this.#kit.md;
    const { userMin, userMax, kernelMin, kernelMax } = port.layout;
    if (proc === null) pmap.forget(PMAP_KERNEL, kernelMin, kernelMax);
    else pmap.forget(proc.space.pmap, userMin, userMax);
  }

  #giveBack(): void {
    const { lent, bytes } = this.#loans.shift()!;
    if (this.#bytes(lent[0]!).join() !== bytes.join())
      throw new Error(`page ${lent[0]} was written to while it was on loan`);
    unloan(this.#kit.uvm, lent, 'page');
  }

  #end(transfer: Transfer): void {
    this.#transfers = this.#transfers.filter((other) => other !== transfer);
    vsunlock(this.#kit.uvm, transfer.map, transfer.va, transfer.length);
  }

  #bytes(page: number): readonly number[] {
    const pa = this.#kit.uvm.pages.pageAddress(page);
    return SPOTS.map((at) => this.#kit.memory.read8(pa + at));
  }
}
