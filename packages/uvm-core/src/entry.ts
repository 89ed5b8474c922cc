import type { Prot, Va } from '@uvmkit/pmap';
import type { Amap } from './amap.ts';
import type { VmMap } from './map.ts';
import type { UvmObject } from './object.ts';
import {
  type Advice,
  type EntryType,
  type Inherit,
  MAP_INHERIT_COPY,
  UVM_ADV_NORMAL,
} from './types.ts';

/**
 * One range of a map with one set of attributes (`vm_map_entry`). Entries are linked in order of
 * address; the map's header closes the circle.
 */
export class MapEntry {
  prev: MapEntry;
  next: MapEntry;
  /** First byte. */
  start: Va;
  /** First byte beyond. */
  end: Va;
  /** The object mapped, if any. */
  object: UvmObject | null = null;
  /** The map that this part of the kernel's map stands for, if any. */
  submap: VmMap | null = null;
  /** Byte offset of `start` in the object; 0 without one. */
  offset = 0;
  /** UVM_ET_* bits. */
  etype: EntryType = 0;
  protection: Prot = 0;
  maxProtection: Prot = 0;
  inheritance: Inherit = MAP_INHERIT_COPY;
  advice: Advice = UVM_ADV_NORMAL;
  /** How often the range was wired by mlock and its kin; 0 if it is not. */
  wiredCount = 0;
  /** The amap layer, if any (`aref.ar_amap`). */
  amap: Amap | null = null;
  /** The amap slot of `start` (`aref.ar_pageoff`). */
  pageoff = 0;
  /** Whether the reference to the amap is to all of it, whatever the range shows (UVM_EXTRACT_QREF). */
  quick = false;

  constructor(start: Va, end: Va) {
    this.start = start;
    this.end = end;
    this.prev = this;
    this.next = this;
  }

  /** A copy of every field but the links. References are not counted up: that is the caller's work. */
  clone(): MapEntry {
    const copy = new MapEntry(this.start, this.end);
    copy.object = this.object;
    copy.submap = this.submap;
    copy.offset = this.offset;
    copy.etype = this.etype;
    copy.protection = this.protection;
    copy.maxProtection = this.maxProtection;
    copy.inheritance = this.inheritance;
    copy.advice = this.advice;
    copy.wiredCount = this.wiredCount;
    copy.amap = this.amap;
    copy.pageoff = this.pageoff;
    return copy;
  }
}
