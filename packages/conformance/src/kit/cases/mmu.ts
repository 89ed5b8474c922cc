import {
  type Access,
  FAULT,
  type FormatBits,
  type FormatBytes,
  type MmuFormat,
  PhysicalMemory,
  protName,
  VM_PROT_ALL,
} from '@uvmkit/pmap';
import { Breach, type KitCase } from '../case.ts';
import { code } from '../stage.ts';
import { kitCase } from './define.ts';
import { R, RW, W, X } from './rights.ts';

const KINDS: readonly Access[] = [R, W, X, RW];
const MEMORY = 8 << 20;

const needsFormat = (_: unknown, format: MmuFormat | null): string | null =>
  format === null ? 'no format was given for its MMU' : null;

/** Every combination of bits. */
function combinations({ bits }: MmuFormat): FormatBits[] {
  let all: FormatBits[] = [{}];
  for (const [name, values] of Object.entries(bits))
    all = all.flatMap((each) => values.map((value) => ({ ...each, [name]: value })));
  return all;
}

/** The accesses of every kind in every mode. */
function accesses({ modes }: MmuFormat): Access[] {
  return modes.flatMap((mode) => KINDS.map((kind) => kind | mode));
}

function named(bits: FormatBits): string {
  return Object.entries(bits)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}

/** What an access must answer and what it does. */
function judge(
  format: MmuFormat,
  bits: FormatBits,
  access: Access,
  found: number,
  when: string,
): void {
  const wanted = format.allows(bits, access) ? format.pa : FAULT;
  if (found === wanted) return;
  const said = (pa: number): string => (pa === FAULT ? 'a fault' : code(pa));
  const mode = access & ~VM_PROT_ALL;
  throw new Breach(
    `${protName(access)} in mode ${mode} with ${named(bits)}${when}`,
    said(wanted),
    said(found),
  );
}

function poke(memory: PhysicalMemory, words: FormatBytes): void {
  for (const [pa, text] of Object.entries(words))
    for (const [index, byte] of text.split(' ').entries())
      memory.write8(Number(pa) + index, Number.parseInt(byte, 16));
}

/** Where two memories of one size first differ, or −1. Millions of bytes a walk: a loop, not a callback a byte. */
function firstDifference(found: Uint8Array, wanted: Uint8Array): number {
  for (let at = 0; at < found.length; at++) if (found[at] !== wanted[at]) return at;
  return -1;
}

/** What the MMU does with tables, judged by what its manual says: `KitOptions.format`. */
export const mmuCases: readonly KitCase[] = [
  kitCase(
    {
      id: 'MMU-RIGHTS-001',
      sentence:
        'a walk allows what the manual allows, for every combination of bits, access and mode',
      layer: 'mmu',
      clauses: [],
      inapplicable: needsFormat,
    },
    ({ format }) => {
      for (const bits of combinations(format!))
        for (const access of accesses(format!))
          judge(format!, bits, access, format!.mapped(bits).translate(format!.va, access), '');
    },
  ),
  kitCase(
    {
      id: 'MMU-RIGHTS-002',
      sentence: 'so does the TLB, whatever access has filled it',
      layer: 'mmu',
      clauses: [],
      inapplicable: needsFormat,
    },
    ({ format }) => {
      for (const bits of combinations(format!))
        for (const first of accesses(format!))
          for (const access of accesses(format!)) {
            const mmu = format!.mapped(bits);
            mmu.translate(format!.va, first);
            const when = ` after ${protName(first)} in mode ${first & ~VM_PROT_ALL}`;
            judge(format!, bits, access, mmu.translate(format!.va, access), when);
          }
    },
  ),
  kitCase(
    {
      id: 'MMU-WALK-001',
      sentence:
        'walks worked out by hand go where they should and change what they should in memory',
      layer: 'mmu',
      clauses: [],
      inapplicable: needsFormat,
    },
    ({ port, format }) => {
      for (const { name, registers, before, va, access, result, after } of format!.walks) {
        const memory = new PhysicalMemory(MEMORY, port.layout.pageSize);
        poke(memory, before);
        const mmu = format!.over(memory, registers);
        const found = mmu.translate(va, access);
        const told = found === FAULT ? mmu.describeFault() : code(found);
        const right =
          typeof result === 'number' ? found === result : found === FAULT && told.includes(result);
        if (!right)
          throw new Breach(
            `walk ${name}`,
            typeof result === 'number' ? code(result) : result,
            told,
          );
        const wanted = new PhysicalMemory(MEMORY, port.layout.pageSize);
        poke(wanted, before);
        poke(wanted, after);
        const at = firstDifference(memory.bytes, wanted.bytes);
        if (at >= 0)
          throw new Breach(
            `memory after walk ${name} at ${code(at)}`,
            `${wanted.bytes[at]}`,
            `${memory.bytes[at]}`,
          );
      }
    },
  ),
];
