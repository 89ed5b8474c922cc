/** What a replay found wrong. */
export interface Mismatch {
  /**
   * - `value`: a load, store-and-load or fetch read something else than the history of the page demands
   * - `kernel`: likewise, an access of the kernel's in the process' name, or one that failed
   * - `call`: a system call failed that succeeded in the recording
   * - `signal`: an access ended in a signal that the recording's did not
   */
  readonly kind: 'value' | 'kernel' | 'call' | 'signal';
  /** The line of the recording. */
  readonly line: number;
  /** The recorded process. */
  readonly pid: number;
  readonly text: string;
}

/** How many mismatches are told in full. */
const TOLD = 20;
/** How many different names are kept of each kind; the rest is counted together. */
const NAMES = 1000;
const OTHERS = 'others';

/** Gathers what a replay has to tell beside numbers. */
export class Findings {
  readonly mismatches: Mismatch[] = [];
  mismatchCount = 0;
  /** What Linux did and NetBSD does otherwise, by sentence. */
  readonly differences: Map<string, number> = new Map();
  /** References and kernel accesses that the recording's own map does not allow, by name. */
  readonly unsupported: Map<string, number> = new Map();

  mismatch(kind: Mismatch['kind'], line: number, pid: number, text: string): void {
    this.mismatchCount++;
    if (this.mismatches.length < TOLD) this.mismatches.push({ kind, line, pid, text });
  }

  differs(what: string): void {
    count(this.differences, what, 1);
  }

  unsupportedAccess(what: string, references: number): void {
    count(this.unsupported, what, references);
  }
}

function count(map: Map<string, number>, name: string, by: number): void {
  const key = map.has(name) || map.size < NAMES ? name : OTHERS;
  map.set(key, (map.get(key) ?? 0) + by);
}
