import type { Access } from './prot.ts';
import type { Pa, Va } from './address.ts';
import { FAULT, type Mmu, type MmuStats } from './mmu.ts';
import type { MachineDependent, Port, TrapOutcome } from './port.ts';

/**
 * The same port, but for its TLBs and what stands in front of them: they are emptied after every access that has come
 * through, so that hardly any is answered from them. What programs see is the same. A port whose MMU holds the
 * translations themselves (`tables: 'mmu'`) has no TLB to do without, and is given back as it is.
 *
 * Not after the first access behind a fault: where software loads the TLB, an instruction that needs two pages would
 * otherwise lose one of them as soon as it had used the other, for ever.
 *
 *     a b │ fault a           a loaded
 *     a b │ a, fault b        b loaded: a has gone
 *     a b │ fault a           a loaded
 *     a b │ a (spared), b     done
 */
export function withoutTlb(port: Port): Port {
  if (port.capabilities.tables === 'mmu') return port;
  return { ...port, boot: (services) => new TlbLessMachine(port.boot(services)) };
}

/** A booted port with such MMUs. */
class TlbLessMachine implements MachineDependent {
  readonly port: Port;
  readonly pmap: MachineDependent['pmap'];
  readonly mmus: readonly Mmu[];
  readonly fault: MachineDependent['fault'];
  readonly syncForDevice?: NonNullable<MachineDependent['syncForDevice']>;
  readonly #inner: MachineDependent;

  constructor(inner: MachineDependent) {
    this.#inner = inner;
    this.port = inner.port;
    this.pmap = inner.pmap;
    this.mmus = inner.mmus.map((mmu) => new TlbLessMmu(mmu));
    this.fault = inner.fault;
    if (inner.syncForDevice !== undefined)
      this.syncForDevice = (pa, length) => inner.syncForDevice!(pa, length);
  }

  get currentCpu(): number {
    return this.#inner.currentCpu;
  }

  set currentCpu(cpu: number) {
    this.#inner.currentCpu = cpu;
  }

  trap(cpu: number): TrapOutcome {
    return this.#inner.trap(cpu);
  }
}

class TlbLessMmu implements Mmu {
  readonly cpu: number;
  readonly dataCache: Mmu['dataCache'];
  readonly #inner: Mmu;
  #faulted = false;

  constructor(inner: Mmu) {
    this.cpu = inner.cpu;
    this.dataCache = inner.dataCache;
    this.#inner = inner;
  }

  translate(va: Va, access: Access): Pa {
    const pa = this.#inner.translate(va, access);
    if (pa !== FAULT && !this.#faulted) this.#inner.flushAll();
    this.#faulted = pa === FAULT;
    return pa;
  }

  get stats(): MmuStats {
    return this.#inner.stats;
  }

  flushAll(): void {
    this.#inner.flushAll();
  }

  registers(): Readonly<Record<string, number>> {
    return this.#inner.registers();
  }

  describeFault(): string {
    return this.#inner.describeFault();
  }
}
