import { type BootServices, hex, type Pa, PMAP_KERNEL, type Va } from '@uvmkit/pmap';
import { Cpus } from './cpus.ts';
import { CR0_PE, CR0_PG, CR0_WP, CR4_PGE, I386Mmu } from './mmu.ts';
import type { I386Options } from './options.ts';
import { PG_G, PG_KW, PG_RW, PG_V } from './pte.ts';
import { Space } from './space.ts';
import { PmapState } from './state.ts';
import { KERNBASE, NBPG, NBPD, NKPTP, PDSLOT_KERN, PDSLOT_PTE } from './vmparam.ts';

/**
 * What locore and pmap_bootstrap do: a directory and {@link NKPTP} kernel tables in the first pages of
 * memory, mapped at KERNBASE + their physical address; then paging on, with WP where there is one and
 * global kernel pages where there are such.
 *
 *     PA 0      directory      ◀── slot 767 (itself)
 *     PA 0x1000 table 0  ◀──────── slot 768: 0xc0000000
 *     …                             …
 *     PA 0x4000 table 3  ◀──────── slot 771: 0xc0c00000
 */
export function bootstrap(boot: BootServices, options: I386Options): PmapState {
  const { memory, events, cpus: count } = boot;
  if (memory.pageSize !== NBPG)
    throw new RangeError(
      `i386 has pages of ${NBPG} bytes, the memory given has ${memory.pageSize}`,
    );
  if (!Number.isInteger(count) || count < 1 || count > 32)
    throw new RangeError(`i386 has 1 to 32 CPUs, given ${count}`);
  const variant = options.variant ?? (count === 1 ? 'up' : 'q');
  if (variant === 'up' && count > 1)
    throw new RangeError(`the pmap variant 'up' is for one CPU, given ${count}: use 'q'`);

  const directory = boot.steal((1 + NKPTP) * NBPG, NBPG);
  const end = directory + (1 + NKPTP) * NBPG;
  if (end > NKPTP * NBPD)
    throw new RangeError(`the kernel must lie in the first 16 MB, given ${hex(directory)}`);
  const mmus = Array.from({ length: count }, (_, cpu) => newMmu(boot, options, cpu));
  const pgG = mmus[0]!.features.pageGlobal ? PG_G : 0;
  layTables(boot, directory, end, pgG);
  for (const mmu of mmus) {
    mmu.writeCr3(directory);
    mmu.writeCr0(CR0_PE | CR0_WP | CR0_PG);
    if (pgG !== 0) mmu.writeCr4(CR4_PGE);
  }

  const virtualAvail: Va = KERNBASE + end;
  const kernel = new Space(PMAP_KERNEL, directory, end / NBPG, true);
  kernel.wired = kernel.resident;
  return new PmapState({
    memory,
    events,
    cpus: new Cpus(mmus),
    kernel,
    variant,
    options,
    diagnostic: boot.diagnostic,
    print: boot.print,
    pgG,
    virtualAvail,
  });
}

function newMmu(boot: BootServices, options: I386Options, cpu: number): I386Mmu {
  return new I386Mmu(boot.memory, {
    cpu,
    events: boot.events,
    processor: options.processor ?? 'pentiumpro',
    accessedOnFault: options.accessedOnFault ?? true,
  });
}

/** The directory with its recursive slot and the kernel's tables, and the PTEs of [directory, end). */
function layTables(boot: BootServices, directory: Pa, end: Pa, pgG: number): void {
  const { memory } = boot;
  const firstTable = directory + NBPG;
  memory.writeLe32(directory + PDSLOT_PTE * 4, directory | PG_V | PG_KW);
  for (let i = 0; i < NKPTP; i++)
    memory.writeLe32(directory + (PDSLOT_KERN + i) * 4, (firstTable + i * NBPG) | PG_RW | PG_V);
  for (let pa = directory; pa < end; pa += NBPG)
    memory.writeLe32(firstTable + (pa / NBPG) * 4, pa | PG_V | PG_KW | pgG);
}
