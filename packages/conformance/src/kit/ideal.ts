import {
  type Pa,
  type PortCapabilities,
  type Prot,
  type Va,
  VM_PROT_EXECUTE,
  VM_PROT_READ,
  VM_PROT_WRITE,
} from '@uvmkit/pmap';

/** One mapping as the contract sees it. */
export interface IdealMapping {
  /** Its page's index on the stage. */
  readonly page: number;
  /** Rights that an access must have, sooner or later. */
  least: Prot;
  /** Rights beyond which no access may go. */
  most: Prot;
  wired: boolean;
  /** Whether it was made by `kenterPa`. */
  readonly kenter: boolean;
  /** Wired, but referenced or modified were cleared since: a port that emulates them may fault to see the next access. */
  watched: boolean;
}

/** Whether a page was stored to: `maybe` where the contract leaves it open until the port has said. */
export type Modified = 'no' | 'yes' | 'maybe';

/** One map: what is mapped, by page address. */
export class IdealMap {
  readonly mappings: Map<Va, IdealMapping> = new Map();
  references = 1;
  /** What `residentCount`, `wiredCount` and `tableBytes` said when it was empty. */
  readonly resident: number;
  readonly wired: number;
  readonly tables: number;

  constructor(resident: number, wired: number, tables: number) {
    this.resident = resident;
    this.wired = wired;
    this.tables = tables;
  }

  /** The mappings in [start, end), in order of their addresses. */
  within(start: Va, end: Va): [Va, IdealMapping][] {
    return [...this.mappings]
      .filter(([va]) => va >= start && va < end)
      .toSorted(([a], [b]) => a - b);
  }
}

/** One page: what it holds and what was done to it. */
export interface IdealPage {
  readonly pa: Pa;
  readonly managed: boolean;
  modified: Modified;
  /** Whether it can have been used since referenced was last cleared. */
  used: boolean;
  /** The word that the kit stores and loads. */
  content: number;
}

/** What rights a mapping of `prot` may give on an MMU that cannot keep them all apart. */
export function ceiling(prot: Prot, { execute, writeOnly }: PortCapabilities): Prot {
  let most = prot;
  if (prot & VM_PROT_WRITE && !writeOnly) most |= VM_PROT_READ;
  if (prot & VM_PROT_EXECUTE) most |= VM_PROT_READ;
  if (prot !== 0 && execute !== 'page') most |= VM_PROT_EXECUTE;
  return most;
}
