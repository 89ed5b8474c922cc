/** The name of a clause: its member and a word, as `enter.replace`. A test holds that each named by a case is one of {@link CLAUSES}. */
export type ClauseId = string;

/** One demand or liberty of the contract: a piece of a docstring in `@uvmkit/pmap`, word for word. */
export interface Clause {
  readonly id: ClauseId;
  /** The member of `Pmap` whose docstring it is from; `Pmap` for the interface's own. */
  readonly member: string;
  readonly text: string;
  /** Why no case can judge it, where none can. */
  readonly unjudged?: string;
}

/**
 * The contract of `Pmap`, clause by clause. In order, the clauses of a member are its docstring, whole: a test
 * holds that, so that a word changed there is a clause to look at here.
 */
export const CLAUSES: readonly Clause[] = [
  {
    id: 'Pmap.subject',
    member: 'Pmap',
    text: 'The contract between UVM and a port: pmap(9), revision 1.5 of 2001-07-28, with the uses that UVM makes of it.',
    unjudged: 'says what the interface is',
  },
  {
    id: 'Pmap.forgettable',
    member: 'Pmap',
    text: '**Everything in a pmap may be forgotten and rebuilt by a fault, except wired mappings.**',
  },
  {
    id: 'Pmap.wired',
    member: 'Pmap',
    text: 'A mapping is *wired* if it was entered with `PMAP_WIRED` or by {@link kenterPa}.',
  },
  {
    id: 'Pmap.managed',
    member: 'Pmap',
    text: 'It is *managed* if it was entered by {@link enter} for a page that UVM manages ({@link PmapServices.isManaged}); only managed mappings take part in {@link pageProtect} and in referenced/modified tracking.',
  },
  {
    id: 'Pmap.attributes.page',
    member: 'Pmap',
    text: '**Referenced and modified belong to the page.**',
  },
  {
    id: 'Pmap.attributes.survive',
    member: 'Pmap',
    text: 'They survive the removal of every mapping and are cleared by explicit calls only.',
  },
  {
    id: 'Pmap.attributes.exact',
    member: 'Pmap',
    text: 'Modified MUST be exact; referenced MAY always read false.',
  },
  {
    id: 'Pmap.deferred',
    member: 'Pmap',
    text: '**Effects may be deferred to {@link update}** where the port says so (`PortCapabilities.deferred`): until then a CPU may still use the old translation. A port that defers nothing has an empty `update`.',
  },
  {
    id: 'Pmap.bytes',
    member: 'Pmap',
    text: 'All addresses and lengths are bytes.',
    unjudged: 'units',
  },
  {
    id: 'Pmap.ranges',
    member: 'Pmap',
    text: '`va`, `start`, `end` and `pa` are page-aligned unless stated; ranges are [start, end).',
  },
  {
    id: 'Pmap.handle',
    member: 'Pmap',
    text: "A pmap handle that was not given out is the caller's mistake (RangeError).",
  },
  {
    id: 'Pmap.sleepless',
    member: 'Pmap',
    text: 'No method sleeps; no method calls back into UVM except through {@link PmapServices}.',
  },
  {
    id: 'Pmap.events',
    member: 'Pmap',
    text: 'Every call that does something emits its `pmap.*` event when the stream is watched.',
  },
  {
    id: 'init.services',
    member: 'init',
    text: 'Called once, when UVM manages memory: from here on table pages come from `services`.',
  },
  {
    id: 'init.segments',
    member: 'init',
    text: 'MUST size the per-page structures for `services.segments`.',
  },
  { id: 'init.earlier', member: 'init', text: 'Mappings made before stay.' },
  {
    id: 'virtualSpace.range',
    member: 'virtualSpace',
    text: 'The kernel address range that UVM manages. With {@link growKernel} the end is the absolute maximum, without it what is mappable now.',
  },
  {
    id: 'virtualSpace.once',
    member: 'virtualSpace',
    text: 'Called once, at boot, after the port has booted.',
    unjudged: "the caller's duty",
  },
  {
    id: 'growKernel.everywhere',
    member: 'growKernel',
    text: 'Makes kernel page tables up to `maxva` exist in every address space, and in those created later.',
  },
  { id: 'growKernel.shrinkless', member: 'growKernel', text: 'Never shrinks.' },
  {
    id: 'growKernel.null',
    member: 'growKernel',
    text: 'Null where every kernel table exists from boot.',
    unjudged: 'says what null means',
  },
  {
    id: 'growKernel.services',
    member: 'growKernel',
    text: 'Tables beyond those of boot come from {@link PmapServices}, so not before {@link init}.',
  },
  {
    id: 'growKernel.beyond',
    member: 'growKernel',
    text: "A `maxva` beyond {@link virtualSpace} is the caller's mistake: a RangeError, or the panic that NetBSD had there.",
  },
  {
    id: 'growKernel.returns',
    member: 'growKernel',
    text: '@returns the first kernel address beyond the tables, ≥ `maxva`',
  },
  {
    id: 'growKernel.shortage',
    member: 'growKernel',
    text: '@throws KernelPanic if memory for them is short, as it is before `init`',
  },
  { id: 'create.empty', member: 'create', text: 'A new, empty map with one reference.' },
  {
    id: 'create.shortage',
    member: 'create',
    text: '@returns its handle, or `NO_PMAP` if memory for its tables is short: nothing has changed then and the caller may wait for memory and call again (pmap(9) says that pmap_create may sleep; here the caller does)',
  },
  { id: 'reference.adds', member: 'reference', text: 'Adds a reference.' },
  {
    id: 'destroy.drops',
    member: 'destroy',
    text: "Drops a reference; with the last one the map's tables are freed and the handle is dead.",
  },
  {
    id: 'destroy.emptied',
    member: 'destroy',
    text: 'The caller has removed every mapping before; a port MAY panic if it has not.',
    unjudged: "the caller's duty, and a liberty when it is neglected",
  },
  {
    id: 'destroy.kernel',
    member: 'destroy',
    text: "Never the kernel's.",
    unjudged: "the caller's duty",
  },
  {
    id: 'fork.copies',
    member: 'fork',
    text: 'Copies machine-dependent state other than mappings, at the end of a fork.',
  },
  {
    id: 'fork.null',
    member: 'fork',
    text: 'Null if there is none.',
    unjudged: 'says what null means',
  },
  {
    id: 'residentCount.counts',
    member: 'residentCount',
    text: 'The number of mappings, counted as the port documents (some count table pages in).',
  },
  { id: 'wiredCount.counts', member: 'wiredCount', text: 'The number of wired mappings.' },
  {
    id: 'tableBytes.bytes',
    member: 'tableBytes',
    text: 'Bytes of page tables, and of whatever stands for them, that belong to the map alone.',
  },
  { id: 'enter.maps', member: 'enter', text: 'Maps the page at `pa` at `va`.' },
  {
    id: 'enter.replace',
    member: 'enter',
    text: 'An existing mapping at `va` is replaced. Of another page: as if it had been removed.',
  },
  {
    id: 'enter.again',
    member: 'enter',
    text: 'Of the same page: its protection becomes `prot` (raised or lowered) and it is wired exactly if `PMAP_WIRED` is given, in both directions: an enter without the flag takes the wiring away.',
  },
  { id: 'enter.ceiling', member: 'enter', text: '`prot` is a ceiling.' },
  {
    id: 'enter.seed',
    member: 'enter',
    text: 'For an unwired mapping the port MAY install less, to emulate referenced and modified; for a wired one the first access MUST NOT fault for that reason, so a port that emulates them MUST seed referenced and modified from the access bits in `flags` there. For unwired ones it MAY, and one whose hardware keeps them MAY always.',
  },
  {
    id: 'enter.subset',
    member: 'enter',
    text: 'The access bits are a subset of `prot`.',
    unjudged: "the caller's duty",
  },
  {
    id: 'enter.access',
    member: 'enter',
    text: 'The access named in `flags` MUST succeed when it is tried next on this CPU if nothing else happened in between.',
  },
  { id: 'enter.inactive', member: 'enter', text: 'The map need not be active on any CPU.' },
  {
    id: 'enter.returns',
    member: 'enter',
    text: '@returns 0, or ENOMEM if table pages, pv entries or the like are short and `PMAP_CANFAIL` is given.',
  },
  {
    id: 'enter.shortage',
    member: 'enter',
    text: 'After ENOMEM there is no mapping at `va` or still the old one, and every count is right @throws KernelPanic on a shortage without `PMAP_CANFAIL`',
  },
  {
    id: 'remove.wired',
    member: 'remove',
    text: 'Removes every mapping that {@link enter} made in the range, **wired ones included**; their wiring goes with them and `wiredCount` falls.',
  },
  { id: 'remove.attributes', member: 'remove', text: 'Referenced and modified are saved.' },
  { id: 'remove.holes', member: 'remove', text: 'Holes are skipped.' },
  {
    id: 'remove.unwired',
    member: 'remove',
    text: 'UVM unwires before it removes; a port must not rely on that.',
    unjudged: 'says what UVM does',
  },
  { id: 'protect.lowers', member: 'protect', text: 'Lowers protection in the range to `prot`.' },
  { id: 'protect.none', member: 'protect', text: 'Without READ and EXECUTE it is {@link remove}.' },
  {
    id: 'protect.wired',
    member: 'protect',
    text: 'Wired mappings stay wired at the lower protection (and are removed by NONE).',
  },
  {
    id: 'protect.raising',
    member: 'protect',
    text: 'Raising MAY be ignored: a fault puts it right.',
  },
  {
    id: 'unwire.takes',
    member: 'unwire',
    text: 'Takes the wired attribute from the mapping at `va`; the mapping stays and may be forgotten from then on.',
  },
  {
    id: 'unwire.missing',
    member: 'unwire',
    text: "What happens where no mapping is, or one that is not wired, is each port's documented behaviour (a panic, a message, or nothing):",
  },
  {
    id: 'unwire.promise',
    member: 'unwire',
    text: 'UVM promises not to do it, and the wiring problem is that it does.',
    unjudged: 'says what UVM does',
  },
  {
    id: 'extract.answers',
    member: 'extract',
    text: 'The physical address that `va` (any byte address) maps to, by any kind of mapping, or `NO_PA`.',
  },
  {
    id: 'extract.tlb',
    member: 'extract',
    text: "Says nothing of what a CPU's TLB still holds.",
    unjudged: 'says what is not answered',
  },
  {
    id: 'kenterPa.maps',
    member: 'kenterPa',
    text: 'Enters an unmanaged, wired kernel mapping, usable at once: no reverse map, no referenced or modified, untouched by {@link pageProtect}.',
  },
  { id: 'kenterPa.fails', member: 'kenterPa', text: 'Never blocks and never fails.' },
  {
    id: 'kenterPa.managed',
    member: 'kenterPa',
    text: 'There MUST be no managed mapping at `va`; a port MAY panic if there is.',
    unjudged: "the caller's duty, and a liberty when it is neglected",
  },
  {
    id: 'kenterPa.counts',
    member: 'kenterPa',
    text: '`wiredCount` and `residentCount` are not affected, unless the port says so (`PortCapabilities.kenterCounted`).',
  },
  {
    id: 'kremove.removes',
    member: 'kremove',
    text: 'Removes mappings made by {@link kenterPa} in [va, va + length).',
  },
  {
    id: 'kremove.others',
    member: 'kremove',
    text: 'Others there: a port MAY panic.',
    unjudged: "the caller's duty, and a liberty when it is neglected",
  },
  {
    id: 'copy.advice',
    member: 'copy',
    text: 'Advice that `dst` will soon want at `dstVa` what `src` maps at `srcVa`.',
    unjudged: 'says what it is for',
  },
  { id: 'copy.may', member: 'copy', text: 'MAY do nothing.' },
  {
    id: 'copy.rights',
    member: 'copy',
    text: 'If it copies, it never gives more rights than `src` has, **never copies wiring**, and may skip anything.',
  },
  {
    id: 'collect.advice',
    member: 'collect',
    text: 'Advice to give memory back.',
    unjudged: 'says what it is for',
  },
  { id: 'collect.may', member: 'collect', text: 'MAY forget any mapping that is not wired;' },
  { id: 'collect.wired', member: 'collect', text: 'MUST keep wired ones.' },
  {
    id: 'forget.range',
    member: 'forget',
    text: "Forgets every mapping in the range that {@link enter} made and that is not wired: what {@link collect} may do, this does, to the last one. It is {@link remove} but for what stays: wired mappings, and those of {@link kenterPa}. Of the kernel's map unmanaged ones MAY stay as well (not every port can tell a device page that `enter` mapped from one of `kenterPa`).",
  },
  {
    id: 'forget.anytime',
    member: 'forget',
    text: 'MAY be called between any two operations, for any map, active or not, with any range of its addresses: UVM must notice nothing but faults.',
  },
  { id: 'forget.attributes', member: 'forget', text: 'Referenced and modified are saved.' },
  {
    id: 'forget.tables',
    member: 'forget',
    text: 'Tables that are left empty go where `remove` lets them go.',
  },
  {
    id: 'forget.visible',
    member: 'forget',
    text: 'No CPU uses a forgotten mapping any more when it returns, or, where flushes are deferred, from {@link update} on, which whoever forgets calls at once: UVM does not know that there is anything to update.',
  },
  {
    id: 'forget.origin',
    member: 'forget',
    text: "Not of pmap(9): the forgetful design of the wiring problem needs it, and whoever wants to try UVM's promise.",
    unjudged: 'says where it is from',
  },
  { id: 'forget.count', member: 'forget', text: '@returns the mappings forgotten' },
  {
    id: 'update.visible',
    member: 'update',
    text: 'Makes everything deferred for this map visible to every CPU before it returns.',
  },
  {
    id: 'activate.loads',
    member: 'activate',
    text: 'Loads the map into the current CPU (`MachineDependent.currentCpu`): what pmap_activate does for curproc.',
  },
  { id: 'deactivate.stops', member: 'deactivate', text: 'The current CPU stops using the map.' },
  {
    id: 'zeroPage.zeroes',
    member: 'zeroPage',
    text: 'Fills the page with zeroes, so that every later mapping of it sees them.',
  },
  { id: 'zeroPage.any', member: 'zeroPage', text: 'Any RAM page.' },
  { id: 'copyPage.copies', member: 'copyPage', text: 'Copies a whole page, likewise.' },
  { id: 'copyPage.attributes', member: 'copyPage', text: 'Sets neither referenced nor modified.' },
  {
    id: 'pageProtect.lowers',
    member: 'pageProtect',
    text: 'Lowers every managed mapping of the page in every map: READ or EXECUTE takes WRITE away, NONE removes, anything with WRITE does nothing.',
  },
  {
    id: 'pageProtect.wired',
    member: 'pageProtect',
    text: '**Wired mappings are not exempt** (a port that exempts them documents it).',
  },
  {
    id: 'pageProtect.attributes',
    member: 'pageProtect',
    text: 'Referenced and modified are saved.',
  },
  {
    id: 'clearModify.clears',
    member: 'clearModify',
    text: 'Clears modified, so that the next store through any mapping sets it again, whatever a TLB holds.',
  },
  { id: 'clearModify.wired', member: 'clearModify', text: 'Wired mappings stay wired.' },
  { id: 'clearModify.returns', member: 'clearModify', text: '@returns whether it was set' },
  {
    id: 'clearReference.clears',
    member: 'clearReference',
    text: 'Clears referenced, likewise; a port MAY lose the next reference.',
  },
  {
    id: 'clearReference.wired',
    member: 'clearReference',
    text: "One whose hardware has no referenced bit MAY take every mapping of the page away to see it, **wired ones included**: the next access is then a fault of UVM's, and a wired range has pages that are not mapped until then (`PortCapabilities.clearReferenceWired`).",
  },
  { id: 'clearReference.returns', member: 'clearReference', text: '@returns whether it was set' },
  {
    id: 'isModified.exact',
    member: 'isModified',
    text: 'Whether the page was stored to through a managed mapping since modified was last cleared. Exact.',
  },
  {
    id: 'isReferenced.used',
    member: 'isReferenced',
    text: 'Whether the page was used since referenced was last cleared.',
  },
  { id: 'isReferenced.may', member: 'isReferenced', text: 'MAY always be false.' },
  {
    id: 'physAddress.address',
    member: 'physAddress',
    text: "The physical address that a device's d_mmap cookie stands for.",
  },
  {
    id: 'prefer.next',
    member: 'prefer',
    text: '`va` raised to the next address at which a page at `offset` of its object may be mapped without a cache alias.',
  },
  { id: 'prefer.lower', member: 'prefer', text: 'Never lower.' },
  {
    id: 'prefer.null',
    member: 'prefer',
    text: 'Null where caches have no aliases (PMAP_PREFER).',
    unjudged: 'says what null means',
  },
  {
    id: 'mapPoolPage.reach',
    member: 'mapPoolPage',
    text: 'A kernel address at which the page at `pa` can always be reached, without a mapping being made (PMAP_MAP_POOLPAGE); null where there is no direct map.',
  },
  {
    id: 'procwr.fetches',
    member: 'procwr',
    text: "Brings instruction fetch up to date with stores that the kernel made into a process' text.",
  },
  {
    id: 'procwr.null',
    member: 'procwr',
    text: 'Null where fetches see stores.',
    unjudged: 'says what null means',
  },
  {
    id: 'describe.words',
    member: 'describe',
    text: "What stands in the tables for `va`, decoded in the manual's words, for the debugger and for reports: for instance `PTE 0x00345607 V RW u W PVLIST → 0x00345000`.",
  },
];
