import { PMAP_KERNEL, PV_NONE } from '@uvmkit/pmap';
import { PGA_MODIFIED, PGA_REFERENCED } from './mappings.ts';
import type { AlphaPmapParts } from './pmap.ts';
import { PG_ASM, PG_FO, PG_FOW, PG_PVLIST, PG_V, PG_WIRED } from './pte.ts';
import { ASN_RESERVED, type Space } from './space.ts';
import { beyondLevel2, beyondLevel3, entry3, NO_TABLE } from './tables.ts';
import { K1SEG, PAGE_SIZE, USEG_END } from './vmparam.ts';

/**
 * Holds the pmap's counts, tables, pv entries and attributes against each other.
 *
 * - wired and resident counts are the numbers of such PTEs
 * - a table page's references are the valid entries in it
 * - a user map without mappings shares the kernel's level-1 table, under the reserved ASN
 * - PG_PVLIST exactly where one pv entry says the same
 * - an attribute that is clear is watched for by fault-on bits in every mapping of the page
 * - only the kernel's PTEs have ASM
 *
 * @returns what is wrong, in words; empty if nothing is. Meant for use between pmap calls
 */
export function checkPmap(parts: AlphaPmapParts): string[] {
  const wrong: string[] = [];
  let listed = 0;
  for (const space of parts.spaces.all()) listed += checkSpace(parts, space, wrong);
  if (parts.mappings.pv.count !== listed) {
    wrong.push(`${parts.mappings.pv.count} pv entries for ${listed} PTEs with PVLIST`);
  }
  checkPages(parts, wrong);
  return wrong;
}

/** Checks one map; the number of its PTEs with PVLIST. */
function checkSpace(
  { spaces, tables, memory }: AlphaPmapParts,
  space: Space,
  wrong: string[],
): number {
  const name = `pmap ${space.id}`;
  const say = (what: string, is: number, want: number): void => {
    if (is !== want) wrong.push(`${name}: ${what} is ${is}, should be ${want}`);
  };
  const shared = space.lev1 === spaces.kernel.lev1;
  const first = space.kernel ? K1SEG / PAGE_SIZE : 0;
  const last = (space.kernel ? tables.kernelEnd : USEG_END) / PAGE_SIZE;
  let [resident, wired, listed, lev2Tables, lev3Tables] = [0, 0, 0, 0, 0];
  for (let page = first; page < last; page = beyondLevel2(page)) {
    const lev2 = tables.level2(space, page);
    if (lev2 === NO_TABLE) continue;
    lev2Tables++;
    let below = 0;
    for (let part = page; part < Math.min(last, beyondLevel2(page)); part = beyondLevel3(part)) {
      const lev3 = tables.level3(lev2, part);
      if (lev3 === NO_TABLE) continue;
      below++;
      let valid = 0;
      for (let index = 0; index < 1024; index++) {
        const low = memory.readLe32(entry3(lev3, index));
        if ((low & PG_V) === 0) {
          say('a PTE without V', low, 0);
          continue;
        }
        valid++;
        if ((low & PG_WIRED) !== 0) wired++;
        if ((low & PG_PVLIST) !== 0) listed++;
        say('ASM', low & PG_ASM, space.kernel ? PG_ASM : 0);
      }
      resident += valid;
      say('references of a level 3 table', tables.references(lev3), space.kernel ? 1 : valid);
    }
    lev3Tables += below;
    say('references of a level 2 table', tables.references(lev2), space.kernel ? 1 : below);
  }
  say('resident count', space.resident, resident);
  say('wired count', space.wired, wired);
  say('number of level 2 tables', space.lev2Tables, lev2Tables);
  say('number of level 3 tables', space.lev3Tables, lev3Tables);
  if (!space.kernel) {
    say('sharing of level 1', shared ? 1 : 0, resident === 0 ? 1 : 0);
    if (shared) space.asn.forEach((asn) => say('ASN', asn, ASN_RESERVED));
    else say('references of the level 1 table', tables.references(space.lev1), lev2Tables);
  }
  return listed;
}

/** Checks the pv entries and attributes of every page. */
function checkPages({ mappings, spaces, memory, tables }: AlphaPmapParts, wrong: string[]): void {
  const { pv, attributes } = mappings;
  for (let index = 0; index < attributes.length; index++) {
    let watched = 0;
    if ((attributes[index]! & PGA_MODIFIED) === 0) watched |= PG_FOW;
    if ((attributes[index]! & PGA_REFERENCED) === 0) watched |= PG_FO;
    for (let entry = pv.head[index]!; entry !== PV_NONE; entry = pv.next[entry]!) {
      const page = pv.va[entry]! / PAGE_SIZE;
      const id = pv.pmap[entry]!;
      const name = `pmap ${id === PMAP_KERNEL ? 'kernel' : id} page ${page}`;
      const lev3 = tables.lookup(spaces.get(id), page);
      if (lev3 !== pv.aux[entry]!) {
        wrong.push(`${name}: the pv entry names another level 3 table`);
        continue;
      }
      const at = entry3(lev3, page);
      const low = memory.readLe32(at);
      if ((low & PG_PVLIST) === 0 || mappings.pageOf(memory.readLe32(at + 4)) !== index) {
        wrong.push(`${name}: the pv entry of page ${index} has no PTE`);
      }
      if ((low & watched) !== watched)
        wrong.push(`${name}: a use of page ${index} would go unnoticed`);
    }
  }
}
