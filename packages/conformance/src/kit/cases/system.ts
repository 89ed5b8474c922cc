import { KernelPanic, type Port } from '@uvmkit/pmap';
import type { KitCase } from '../case.ts';
import { LOOK_BITS, LOOK_LOAD } from '../model.ts';
import { refuses } from '../refuses.ts';
import { code } from '../stage.ts';
import { kitCase, modelCase, onModel } from './define.ts';
import { NONE, R, RW } from './rights.ts';

/** What a port does for the machine as a whole: its kernel's range, its boot, its devices, its caches. */
export const systemCases: readonly KitCase[] = [
  ...[1, 2].map((cpus) =>
    modelCase(
      {
        id: `PMAP-PORT-00${cpus}`,
        sentence: `the port is what its type says, and boots ${cpus === 1 ? 'one CPU' : 'two'}`,
        clauses: [],
        model: { cpus },
      },
      () => {},
    ),
  ),
  modelCase(
    {
      id: 'PMAP-SPACE-001',
      sentence:
        "the kernel's range lies within its layout and beyond the user's addresses, if both are in one space",
      clauses: ['virtualSpace.range'],
    },
    (model) => {
      const { kernelMin, kernelMax, userMin, userMax, pageSize } = model.port.layout;
      const { start, end } = model.stage.pmap.virtualSpace();
      if (start < kernelMin || end > kernelMax || start >= end || start % pageSize !== 0)
        throw model.wrong(
          'pmap.virtualSpace()',
          `a range in [${code(kernelMin)}, ${code(kernelMax)})`,
          `[${code(start)}, ${code(end)})`,
        );
      if (userMin >= userMax) throw model.wrong('user addresses', 'some', 'none');
    },
  ),
  modelCase(
    {
      id: 'PMAP-GROW-001',
      sentence: 'kernel tables grow as far as asked, for every map, and never shrink',
      clauses: [
        'growKernel.everywhere',
        'growKernel.shrinkless',
        'growKernel.returns',
        'growKernel.services',
      ],
      inapplicable: () => null,
    },
    (model) => {
      const { pmap, pageSize } = model.stage;
      const grow = pmap.growKernel?.bind(pmap);
      if (grow === undefined) return;
      const { start, end } = pmap.virtualSpace();
      let reached = start;
      for (const step of [2 ** 22, 2 ** 23, 2 ** 24, 2 ** 22]) {
        const maxva = Math.min(start + step, end);
        const grown = grow(maxva);
        if (grown < maxva || grown < reached)
          throw model.wrong(
            `pmap.growKernel(${code(maxva)})`,
            `≥ ${code(Math.max(maxva, reached))}`,
            code(grown),
          );
        reached = grown;
        const last = Math.min(grown, end) - pageSize;
        for (const map of [0, 1]) {
          model.activate(map);
          pmap.kenterPa(last, model.pages[0]!.pa, RW);
          const pa = model.reach(last, RW);
          if (pa !== model.pages[0]!.pa)
            throw model.wrong(`the last page, ${code(last)}`, 'page0', code(pa));
          pmap.kremove(last, pageSize);
          pmap.update(0);
        }
      }
    },
  ),
  kitCase(
    {
      id: 'PMAP-GROW-003',
      sentence: 'growth that memory is too short for is a panic',
      layer: 'resources',
      clauses: ['growKernel.shortage'],
    },
    ({ port }) =>
      onModel(port, {}, (model) => {
        const { pmap, machine } = model.stage;
        const grow = pmap.growKernel?.bind(pmap);
        if (grow === undefined) return;
        const before = machine.tablePagesOut;
        machine.tablePageLimit = before;
        const { end } = pmap.virtualSpace();
        try {
          const grown = grow(end);
          // No page was to be had, so it had all that it needs.
          if (grown < end) throw model.wrong('pmap.growKernel', `≥ ${code(end)}`, code(grown));
        } catch (error) {
          if (!(error instanceof KernelPanic)) throw error;
        }
      }),
  ),
  modelCase(
    {
      id: 'PMAP-GROW-002',
      sentence: 'growth beyond the range is refused',
      clauses: ['growKernel.beyond'],
    },
    (model) => {
      const { pmap, pageSize } = model.stage;
      const { end } = pmap.virtualSpace();
      const grow = pmap.growKernel?.bind(pmap);
      const panics = (error: unknown): boolean => error instanceof KernelPanic;
      if (grow !== undefined && !refuses(() => grow(end + pageSize), panics))
        throw model.wrong(
          'pmap.growKernel beyond the range',
          'a RangeError or a panic',
          'no error',
        );
    },
  ),
  modelCase(
    {
      id: 'PMAP-PHYS-001',
      sentence: 'different cookies are different pages',
      clauses: ['physAddress.address'],
    },
    (model) => {
      const { pmap, pageSize } = model.stage;
      // A cookie is the port's own; whole pages are good ones whether it counts bytes or frames.
      const found = [0, 1, 2, 7].map((cookie) => pmap.physAddress(cookie * pageSize));
      if (found.some((pa) => pa < 0 || pa % pageSize !== 0) || new Set(found).size !== found.length)
        throw model.wrong(
          'pmap.physAddress of 0, 1, 2, 7 times a page',
          'four page addresses',
          found.map(code).join(' '),
        );
    },
  ),
  modelCase(
    {
      id: 'PMAP-PREFER-001',
      sentence: 'the preferred address is the next without an alias',
      clauses: ['prefer.next', 'prefer.lower'],
    },
    (model) => {
      const { pmap, pageSize } = model.stage;
      const { cacheAlias } = model.port.capabilities;
      const prefer = pmap.prefer?.bind(pmap);
      if ((prefer !== undefined) !== cacheAlias > 0)
        throw model.wrong(
          'pmap.prefer',
          cacheAlias > 0 ? 'a function' : 'null',
          typeof pmap.prefer,
        );
      if (prefer === undefined) return;
      for (let offset = 0; offset < 2 * cacheAlias; offset += pageSize)
        for (const va of [0, pageSize, cacheAlias - pageSize, 5 * cacheAlias + 3 * pageSize]) {
          const found = prefer(offset, va);
          if (found < va || found >= va + cacheAlias || (found - offset) % cacheAlias !== 0)
            throw model.wrong(
              `pmap.prefer(${offset}, ${code(va)})`,
              'the next congruent address',
              code(found),
            );
        }
    },
  ),
  modelCase(
    {
      id: 'PMAP-POOL-001',
      sentence: 'where there is a direct map, every page is reached through it',
      clauses: ['mapPoolPage.reach'],
    },
    (model) => {
      const { pmap } = model.stage;
      const reach = pmap.mapPoolPage?.bind(pmap);
      if (reach === undefined) return;
      for (const { pa } of model.pages) {
        const va = reach(pa);
        const found = model.reach(va + 8, RW);
        if (found !== pa + 8)
          throw model.wrong(`the direct map at ${code(va)}`, code(pa), code(found));
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-PROCWR-001',
      sentence: 'bringing fetches up to date changes nothing else',
      clauses: ['procwr.fetches'],
    },
    (model) => {
      const { pmap, userSpots, pageSize } = model.stage;
      model.activate(0);
      model.look = LOOK_LOAD | LOOK_BITS;
      for (const va of userSpots.slice(0, 3)) {
        model.enter(0, va, 0, RW, R);
        pmap.procwr?.(model.stage.id(0), va, pageSize);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-DESCRIBE-001',
      sentence:
        'what stands in the tables is told in words, different ones for what is mapped and what is not',
      clauses: ['describe.words'],
    },
    (model) => {
      const { pmap, userSpots } = model.stage;
      model.look = 0;
      const id = model.stage.id(0);
      const before = pmap.describe(id, userSpots[0]!);
      model.enter(0, userSpots[0]!, 0, RW, RW);
      const after = pmap.describe(id, userSpots[0]!);
      if (typeof before !== 'string' || before === '' || after === '' || before === after)
        throw model.wrong(
          'pmap.describe',
          'words before and other words after',
          `"${before}", "${after}"`,
        );
    },
  ),
  kitCase(
    {
      id: 'PMAP-INIT-002',
      sentence: 'a mapping that the kernel made before UVM was there stays',
      clauses: ['init.earlier'],
    },
    ({ port }) => {
      let va = 0;
      const content = 0x21;
      // A page that the port gets at boot, mapped as soon as it has booted.
      const { name, description, layout, capabilities } = port;
      const early: Port = {
        name,
        description,
        layout,
        capabilities,
        boot: (services) => {
          const md = port.boot(services);
          const pa = services.steal(layout.pageSize, layout.pageSize);
          services.memory.write8(pa, content);
          va = md.pmap.virtualSpace().start;
          md.pmap.kenterPa(va, pa, RW);
          return md;
        },
      };
      onModel(early, {}, (model) => {
        const pa = model.reach(va, R);
        const found = pa < 0 ? 'a fault' : `${model.stage.machine.memory.read8(pa)}`;
        if (found !== `${content}`)
          throw model.wrong(`what was mapped at ${code(va)} before init`, `${content}`, found);
      });
    },
  ),
  modelCase(
    {
      id: 'PMAP-INIT-001',
      sentence:
        'every managed page, from the first to the last, can be mapped, marked and taken away',
      clauses: ['init.segments', 'init.services'],
    },
    (model) => {
      const { pmap, machine, userSpots, pageSize } = model.stage;
      const id = model.stage.id(0);
      model.activate(0);
      for (const index of [
        0,
        1,
        machine.pageCount >> 1,
        machine.pageCount - 2,
        machine.pageCount - 1,
      ]) {
        const pa = machine.pageAddress(index);
        if (pmap.isModified(pa) || pmap.isReferenced(pa)) continue;
        pmap.enter(id, userSpots[0]!, pa, RW, RW);
        const found = model.reach(userSpots[0]!, RW | 8);
        if (found !== pa) throw model.wrong(`managed page ${index}`, code(pa), code(found));
        if (!pmap.isModified(pa))
          throw model.wrong(`pmap.isModified of managed page ${index}`, 'true', 'false');
        pmap.pageProtect(pa, NONE);
        if (pmap.extract(id, userSpots[0]!) !== -1)
          throw model.wrong(`managed page ${index} after pageProtect(NONE)`, 'no mapping', 'one');
        pmap.remove(id, userSpots[0]!, userSpots[0]! + pageSize);
        pmap.clearModify(pa);
        pmap.clearReference(pa);
      }
    },
  ),
];
