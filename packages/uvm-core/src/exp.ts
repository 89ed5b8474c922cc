/**
 * `uvmexp`: counters and tunables by NetBSD's names (uvm/uvm_extern.h). Sizes are pages unless the
 * name says otherwise.
 */
export class Uvmexp {
  // Constants of the machine.
  pagesize = 0;
  pagemask = 0;
  pageshift = 0;
  ncolors = 1;
  colormask = 0;

  // Census.
  npages = 0;
  free = 0;
  active = 0;
  inactive = 0;
  paging = 0;
  wired = 0;
  zeropages = 0;
  reserve_pagedaemon = 1;
  reserve_kernel = 5;
  anonpages = 0;
  filepages = 0;
  execpages = 0;

  // Targets.
  freemin = 0;
  freetarg = 0;
  inactarg = 0;
  wiredmax = 0;
  /** Shares of memory that a kind of page keeps and may take, in 256ths. */
  anonmin: number = percent(10);
  filemin: number = percent(10);
  execmin: number = percent(5);
  anonmax: number = percent(80);
  filemax: number = percent(50);
  execmax: number = percent(30);

  // Swap.
  nswapdev = 0;
  swpages = 0;
  swpginuse = 0;
  swpgonly = 0;
  nswget = 0;
  nanon = 0;
  nanonneeded = 0;
  nfreeanon = 0;

  // Events.
  faults = 0;
  traps = 0;
  syscalls = 0;
  pageins = 0;
  pgswapin = 0;
  pgswapout = 0;
  swapins = 0;
  swapouts = 0;
  forks = 0;
  forks_ppwait = 0;
  forks_sharevm = 0;
  pga_zerohit = 0;
  pga_zeromiss = 0;
  zeroaborts = 0;
  colorhit = 0;
  colormiss = 0;

  // Inside uvm_fault.
  fltnoram = 0;
  fltnoanon = 0;
  fltpgwait = 0;
  fltpgrele = 0;
  fltrelck = 0;
  fltrelckok = 0;
  fltanget = 0;
  fltanretry = 0;
  fltamcopy = 0;
  fltnamap = 0;
  fltnomap = 0;
  fltlget = 0;
  fltget = 0;
  /** Case 1A. */
  flt_anon = 0;
  /** Case 1B. */
  flt_acow = 0;
  /** Case 2A. */
  flt_obj = 0;
  /** Case 2B, a copy of an object's page. */
  flt_prcopy = 0;
  /** Case 2B, zero-filled. */
  flt_przero = 0;

  // The page daemon.
  pdwoke = 0;
  pdrevs = 0;
  pdswout = 0;
  pdfreed = 0;
  pdscans = 0;
  pdanscan = 0;
  pdobscan = 0;
  pdreact = 0;
  pdbusy = 0;
  pdpageouts = 0;
  pdpending = 0;
  pddeact = 0;
  pdreanon = 0;
  pdrefile = 0;
  pdreexec = 0;
}

/** A percentage in 256ths, as uvmexp keeps it. */
export function percent(value: number): number {
  return Math.floor((value * 256) / 100);
}
