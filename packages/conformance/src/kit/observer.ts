import { NO_PA, type Pa, type Va } from '@uvmkit/pmap';
import type { Model } from './model.ts';
import { code, KERNEL } from './stage.ts';

/** What can be asked of a port without any access, held against the ideal. */
export class Observer {
  /** Whether what was done last may have made the port forget mappings that are not wired. */
  forgets = false;
  readonly #model: Model;
  readonly #retentive: boolean;

  /** @param retentive whether a mapping that is not wired may go only where {@link forgets} says so */
  constructor(model: Model, retentive: boolean) {
    this.#model = model;
    this.#retentive = retentive;
  }

  /** Holds referenced and modified of every managed page against the ideal. */
  bits(): void {
    for (const [index, page] of this.#model.pages.entries()) {
      if (!page.managed) continue;
      const modified = this.#model.stage.pmap.isModified(page.pa);
      if (page.modified === 'maybe') page.modified = modified ? 'yes' : 'no';
      if (modified !== (page.modified === 'yes'))
        throw this.#model.wrong(
          `pmap.isModified(page${index})`,
          `${page.modified === 'yes'}`,
          `${modified}`,
        );
      if (this.#model.stage.pmap.isReferenced(page.pa) && !page.used)
        throw this.#model.wrong(
          `pmap.isReferenced(page${index})`,
          'false: it was not used',
          'true',
        );
    }
  }

  /** Drops what the port has forgotten, which it may unless the mapping is wired, and judges every count. */
  observe(): void {
    for (const map of [KERNEL, ...this.#model.maps.keys()])
      if (this.#model.isLive(map)) {
        this.#observeMappings(map);
        this.#observeCounts(map);
      }
  }

  /** Whether the port still has the mapping; drops it from the ideal if it may be forgotten and was. */
  present(map: number, va: Va): boolean {
    const { stage } = this.#model;
    const mapping = this.#model.mapping(map, va);
    const found = stage.pmap.extract(stage.id(map), va);
    const wanted = mapping === undefined ? NO_PA : this.#model.pages[mapping.page]!.pa;
    if (found === wanted) return mapping !== undefined;
    const what = `pmap.extract(${stage.name(map)}, ${code(va)})`;
    if (found !== NO_PA || mapping === undefined)
      throw this.#model.wrong(what, wanted === NO_PA ? 'NO_PA' : code(wanted), code(found));
    if (mapping.wired) throw this.#model.wrong(what, `${code(wanted)}: it is wired`, 'NO_PA');
    if (this.#retentive && !this.forgets)
      throw this.#model.wrong(what, `${code(wanted)}: nothing was short`, 'NO_PA');
    this.#model.ideal(map).mappings.delete(va);
    return false;
  }

  #observeMappings(map: number): void {
    const { stage } = this.#model;
    const spots = map === KERNEL ? [...stage.kernelSpots, ...stage.kenterSpots] : stage.userSpots;
    for (const va of spots) {
      if (!this.present(map, va)) continue;
      const inside = stage.pageSize - 1;
      const pa: Pa = this.#model.pages[this.#model.mapping(map, va)!.page]!.pa + inside;
      const found = stage.pmap.extract(stage.id(map), va + inside);
      if (found !== pa)
        throw this.#model.wrong(
          `pmap.extract(${stage.name(map)}, ${code(va + inside)})`,
          code(pa),
          code(found),
        );
    }
  }

  /** What the port counts of a map. */
  counts(map: number): { resident: number; wired: number; tables: number } {
    const { pmap } = this.#model.stage;
    const id = this.#model.stage.id(map);
    return {
      resident: pmap.residentCount(id),
      wired: pmap.wiredCount(id),
      tables: pmap.tableBytes(id),
    };
  }

  #observeCounts(map: number): void {
    const { kenterCounted } = this.#model.port.capabilities;
    const ideal = this.#model.ideal(map);
    const counts = this.counts(map);
    let mapped = 0;
    let wired = 0;
    for (const mapping of ideal.mappings.values()) {
      if (mapping.kenter && !kenterCounted) continue;
      mapped++;
      if (mapping.wired) wired++;
    }
    const name = this.#model.stage.name(map);
    // Table pages may be counted in.
    const tables = Math.round((counts.tables - ideal.tables) / this.#model.stage.pageSize);
    const resident = counts.resident - ideal.resident;
    if (
      !this.#model.excused.has('residentCount') &&
      resident !== mapped &&
      resident !== mapped + tables
    )
      throw this.#model.wrong(
        `pmap.residentCount(${name})`,
        `${ideal.resident + mapped}${tables > 0 ? `, or ${tables} more with tables` : ''}`,
        `${counts.resident}`,
      );
    if (!this.#model.excused.has('wiredCount') && counts.wired - ideal.wired !== wired)
      throw this.#model.wrong(
        `pmap.wiredCount(${name})`,
        `${ideal.wired + wired}`,
        `${counts.wired}`,
      );
    if (counts.tables < 0)
      throw this.#model.wrong(`pmap.tableBytes(${name})`, '≥ 0', `${counts.tables}`);
  }
}
