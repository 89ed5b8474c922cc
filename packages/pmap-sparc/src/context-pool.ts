import type { PmapId } from '@uvmkit/pmap';

/** No context, no victim. */
export const NO_CONTEXT = -1;

/**
 * The MMU's contexts as NetBSD hands them out (sparc/pmap.c, `ctx_alloc`, `ctx_free`): a free list, and when that
 * is empty a rover that goes to and fro over 1 … count − 1 and takes what it finds. Context 0 is the kernel's.
 *
 * A context that another CPU has loaded is passed over: taking it would pull the address space from
 * under that CPU. NetBSD could not meet this case while it ran on one CPU.
 */
export class ContextPool {
  /** How many there are, the kernel's included. */
  readonly count: number;
  /** The pmap that has each context; {@link NO_CONTEXT} where it is free. */
  readonly owner: Int32Array;
  /** The pmap that {@link allocate} took its context from; {@link NO_CONTEXT} if that one was free. */
  victim: PmapId = NO_CONTEXT;
  /** The context that each CPU has loaded. */
  readonly loaded: Int32Array;
  private readonly next: Int32Array;
  private freeList: number = NO_CONTEXT;
  private kick = 0;
  private direction = 1;

  /** @throws RangeError if there are not as many contexts as CPUs beside the kernel's, or more than `most` */
  constructor(count: number, cpus: number, most: number) {
    if (!Number.isInteger(count) || count < cpus + 1 || count > most)
      throw new RangeError(
        `contexts must be ${cpus + 1} to ${most} for ${cpus} CPUs, given ${count}`,
      );
    this.count = count;
    this.owner = new Int32Array(count).fill(NO_CONTEXT);
    this.loaded = new Int32Array(cpus);
    this.next = new Int32Array(count);
    for (let context = count - 1; context > 0; context--) this.push(context);
  }

  /** A context for `pmap` on `cpu`: a free one, or one stolen from {@link victim}. */
  allocate(pmap: PmapId, cpu: number): number {
    let context = this.freeList;
    this.victim = NO_CONTEXT;
    if (context === NO_CONTEXT) {
      do context = this.advance();
      while (this.loadedElsewhere(context, cpu));
      this.victim = this.owner[context]!;
    } else {
      this.freeList = this.next[context]!;
    }
    this.owner[context] = pmap;
    return context;
  }

  /** Gives a context back. */
  free(context: number): void {
    this.owner[context] = NO_CONTEXT;
    this.push(context);
  }

  private push(context: number): void {
    this.next[context] = this.freeList;
    this.freeList = context;
  }

  private advance(): number {
    this.kick += this.direction;
    if (this.kick >= this.count) {
      this.kick = this.count - 1;
      this.direction = -1;
    } else if (this.kick < 1) {
      this.kick = 1;
      this.direction = 1;
    }
    return this.kick;
  }

  private loadedElsewhere(context: number, cpu: number): boolean {
    for (let other = 0; other < this.loaded.length; other++)
      if (other !== cpu && this.loaded[other] === context) return true;
    return false;
  }
}
