import type { AbsentRow } from '../row.ts';

const ATF = 'NetBSD ATF';

const MEMFD = 'memfd_create and file seals came with NetBSD 11';

/** Rows about what NetBSD of December 2001 had not. */
export const absent: readonly AbsentRow[] = [
  {
    id: 'NB-MMAP-12',
    sentence: 'vm.user_va0_disable decides whether address 0 can be mapped',
    source: `${ATF} t_mmap, mmap_va0`,
    notIn2001:
      'the sysctl vm.user_va0_disable came with NetBSD 7; in 2001 VM_MIN_ADDRESS alone decides',
  },
  {
    id: 'NB-MPROT-04',
    sentence: 'PaX MPROTECT refuses to make written memory executable',
    source: `${ATF} t_mprotect, mprotect_pax`,
    notIn2001: 'PaX MPROTECT came with NetBSD 4',
  },
  {
    id: 'NB-MINH-04',
    sentence: 'a child finds zeroes where the parent asked for MAP_INHERIT_ZERO',
    source: `${ATF} t_minherit, minherit_zero`,
    notIn2001:
      'MAP_INHERIT_ZERO is years younger; DONATE_COPY, which 2001 had instead, was never made to work',
  },
  {
    id: 'NB-MEMFD-01',
    sentence: 'a memfd can be mapped shared and writable',
    source: `${ATF} t_memfd_create`,
    notIn2001: MEMFD,
  },
  {
    id: 'NB-MEMFD-02',
    sentence: 'a memfd that is mapped shared and writable cannot be sealed against writing',
    source: `${ATF} t_memfd_create`,
    notIn2001: MEMFD,
  },
  {
    id: 'NB-MEMFD-03',
    sentence: 'a memfd sealed against future writing cannot be mapped shared and writable anew',
    source: `${ATF} t_memfd_create`,
    notIn2001: MEMFD,
  },
  {
    id: 'NB-MEMFD-04',
    sentence: 'a memfd that was cut and grown reads as zeroes in what had been cut',
    source: `${ATF} t_memfd_create`,
    notIn2001: MEMFD,
  },
  {
    id: 'NB-PHYS-*',
    sentence: 'segments of physical memory can be plugged and unplugged',
    source: `${ATF} t_uvm_physseg`,
    notIn2001:
      'uvm_physseg(9) came with NetBSD 8; in 2001 the segments are fixed when uvm_init has run',
  },
];
