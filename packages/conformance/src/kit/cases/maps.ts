import { NO_PMAP, type PmapId } from '@uvmkit/pmap';
import type { KitCase } from '../case.ts';
import { LOOK_BITS, LOOK_LOAD, LOOK_NAMED, LOOK_STORE, type Model } from '../model.ts';
import { refuses } from '../refuses.ts';
import { code, KERNEL } from '../stage.ts';
import { kitCase, modelCase, onModel } from './define.ts';
import { NONE, R, RW, WIRED } from './rights.ts';

const STORES = LOOK_LOAD | LOOK_STORE | LOOK_BITS | LOOK_NAMED;

/** Every call that takes a handle. */
function callsWith(model: Model, id: PmapId): [string, () => unknown][] {
  const { pmap, userSpots, pageSize } = model.stage;
  const va = userSpots[0]!;
  const { pa } = model.pages[0]!;
  return [
    ['reference', () => pmap.reference(id)],
    ['destroy', () => pmap.destroy(id)],
    ['residentCount', () => pmap.residentCount(id)],
    ['wiredCount', () => pmap.wiredCount(id)],
    ['tableBytes', () => pmap.tableBytes(id)],
    ['enter', () => pmap.enter(id, va, pa, RW, R)],
    ['remove', () => pmap.remove(id, va, va + pageSize)],
    ['protect', () => pmap.protect(id, va, va + pageSize, R)],
    ['unwire', () => pmap.unwire(id, va)],
    ['extract', () => pmap.extract(id, va)],
    ['collect', () => pmap.collect(id)],
    ['forget', () => pmap.forget(id, va, va + pageSize)],
    ['update', () => pmap.update(id)],
    ['activate', () => pmap.activate(id)],
    ['describe', () => pmap.describe(id, va)],
  ];
}

/** The events that a call tells of, names only. */
function eventsOf(model: Model, run: () => void): string[] {
  const names: string[] = [];
  const stop = model.stage.machine.events.watch((name) => names.push(name));
  try {
    run();
  } finally {
    stop();
  }
  return names;
}

export const mapCases: readonly KitCase[] = [
  modelCase(
    {
      id: 'PMAP-CREATE-001',
      sentence: 'new maps are empty and have handles of their own',
      clauses: ['create.empty', 'residentCount.counts', 'tableBytes.bytes'],
      model: { maps: 8 },
    },
    (model) => {
      const { maps } = model.stage;
      if (new Set(maps).size !== maps.length || maps.includes(0) || maps.includes(NO_PMAP))
        throw model.wrong(
          'handles of 8 maps',
          'different from each other and from 0',
          maps.join(' '),
        );
      const [first, ...others] = maps.map((_, map) => model.observer.counts(map));
      for (const [index, counts] of others.entries())
        if (counts.resident !== first!.resident || counts.wired !== first!.wired)
          throw model.wrong(
            `counts of map${index + 1}`,
            JSON.stringify(first),
            JSON.stringify(counts),
          );
      if (first!.wired !== 0) throw model.wrong('wiredCount of a new map', '0', `${first!.wired}`);
    },
  ),
  modelCase(
    {
      id: 'PMAP-DESTROY-001',
      sentence:
        'a map with more than one reference lives until the last is dropped, then its handle is dead',
      clauses: ['reference.adds', 'destroy.drops', 'Pmap.handle'],
    },
    (model) => {
      const { pmap, userSpots } = model.stage;
      const id = model.stage.id(0);
      model.stage.note(() => 'pmap.reference(map0); pmap.destroy(map0);');
      pmap.reference(id);
      pmap.destroy(id);
      model.activate(0);
      model.look = STORES;
      model.enter(0, userSpots[0]!, 0, RW, RW);
      model.destroy(0);
      for (const [name, call] of callsWith(model, id))
        if (!refuses(call))
          throw model.wrong(`pmap.${name} of a dead handle`, 'a RangeError', 'no error');
    },
  ),
  modelCase(
    {
      id: 'PMAP-HANDLE-001',
      sentence: 'a handle that was never given out is refused',
      clauses: ['Pmap.handle'],
    },
    (model) => {
      for (const id of [999_999, -1, 0.5])
        for (const [name, call] of callsWith(model, id))
          if (!refuses(call))
            throw model.wrong(`pmap.${name}(${id}, …)`, 'a RangeError', 'no error');
    },
  ),
  modelCase(
    {
      id: 'PMAP-DESTROY-002',
      sentence:
        'maps that come and go leave no table page behind, and none of their mappings to the next',
      clauses: ['destroy.drops', 'create.empty', 'tableBytes.bytes'],
    },
    (model) => {
      const { userSpots, machine } = model.stage;
      model.look = STORES;
      const round = (): void => {
        for (const map of [0, 1, 2]) {
          model.activate(map);
          for (const [index, va] of userSpots.entries())
            model.enter(map, va, index % 4, RW, RW | (index % 3 === 0 ? WIRED : 0));
        }
        for (const map of [2, 0, 1]) model.renew(map);
      };
      round();
      const before = machine.tablePagesOut;
      for (let count = 0; count < 4; count++) round();
      if (machine.tablePagesOut > before)
        throw model.wrong(
          'table pages out after 12 more maps',
          `${before}`,
          `${machine.tablePagesOut}`,
        );
    },
  ),
  modelCase(
    {
      id: 'PMAP-DESTROY-003',
      sentence: 'a map that is destroyed on one CPU is reached by none, while others go on',
      clauses: ['destroy.drops', 'deactivate.stops'],
      model: { cpus: 2 },
    },
    (model) => {
      const { userSpots } = model.stage;
      model.look = STORES;
      for (let round = 0; round < 4; round++)
        for (const map of [0, 1, 2]) {
          model.on(round % 2).activate(map);
          model.on(1 - (round % 2)).activate(map === 2 ? 0 : map);
          for (const [index, va] of userSpots.entries()) model.enter(map, va, index % 4, RW, RW);
          model.renew(map);
        }
    },
  ),
  modelCase(
    {
      id: 'PMAP-ACTIVATE-001',
      sentence: 'a CPU reaches what the map it runs maps, however often it changes',
      clauses: ['activate.loads', 'deactivate.stops'],
    },
    (model) => {
      const { userSpots, pageSize } = model.stage;
      model.look = STORES;
      for (let round = 0; round < 6; round++)
        for (const map of [0, 1, 2]) {
          model.activate(map);
          const va = userSpots[round % userSpots.length]!;
          model.enter(map, va, (map + round) % 4, round % 2 === 0 ? RW : R, R);
          // Maps that are not running change too.
          model.enter((map + 1) % 3, va, round % 4, RW, R);
          if (round % 3 === 2) model.remove((map + 2) % 3, va, va + pageSize);
        }
    },
  ),
  modelCase(
    {
      id: 'PMAP-ACTIVATE-002',
      sentence: 'CPUs change maps without one seeing what another runs',
      clauses: ['activate.loads', 'deactivate.stops', 'Pmap.deferred'],
      model: { cpus: 2 },
    },
    (model) => {
      const { userSpots, pageSize } = model.stage;
      model.look = STORES;
      for (let round = 0; round < 12; round++) {
        const cpu = round % 2;
        const map = (round * 2 + cpu) % 3;
        const va = userSpots[(round >> 1) % userSpots.length]!;
        model.on(cpu).activate(map);
        model.enter(map, va, round % 4, RW, RW);
        // Where the other CPU has been, and may be again with what its TLB kept.
        model.on(1 - cpu).enter((map + 1) % 3, va, (round + 1) % 4, RW, RW);
        if (round % 4 === 3) model.remove(map, va, va + pageSize);
        if (round % 5 === 4) model.on(cpu).deactivate();
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-EXTRACT-001',
      sentence: 'extract answers for every byte of every kind of mapping, and for nothing else',
      clauses: ['extract.answers'],
    },
    (model) => {
      const { pmap, userSpots, kernelSpots, kenterSpots, pageSize } = model.stage;
      model.look = 0;
      model.enter(0, userSpots[0]!, 0, RW, R);
      model.enter(0, userSpots[3]!, 1, R, R | WIRED);
      model.enter(0, userSpots[5]!, 4, R, R);
      model.enter(KERNEL, kernelSpots[0]!, 2, RW, RW);
      model.kenter(kenterSpots[0]!, 3, RW);
      const mapped: [number, number, number][] = [
        [0, userSpots[0]!, 0],
        [0, userSpots[3]!, 1],
        [0, userSpots[5]!, 4],
        [KERNEL, kernelSpots[0]!, 2],
        [KERNEL, kenterSpots[0]!, 3],
      ];
      for (const [map, va, page] of mapped)
        for (const offset of [0, 1, 0x7ff, pageSize - 4, pageSize - 1]) {
          const found = pmap.extract(model.stage.id(map), va + offset);
          const wanted = model.pages[page]!.pa + offset;
          if (found !== wanted)
            throw model.wrong(`pmap.extract at ${code(va + offset)}`, code(wanted), code(found));
        }
    },
  ),
  modelCase(
    {
      id: 'PMAP-COUNT-001',
      sentence: 'residentCount follows the mappings, entered, replaced and removed',
      clauses: ['residentCount.counts'],
      about: ['residentCount'],
    },
    (model) => {
      model.look = 0;
      for (const [index, va] of model.stage.userSpots.entries()) {
        model.enter(0, va, index % 4, RW, R);
        model.enter(0, va, (index + 1) % 4, RW, R);
        model.enter(0, va, (index + 1) % 4, R, R);
      }
      for (const va of model.stage.userSpots) model.remove(0, va, va + model.stage.pageSize);
    },
  ),
  modelCase(
    {
      id: 'PMAP-COUNT-002',
      sentence: 'wiredCount is the number of wired mappings',
      clauses: ['wiredCount.counts'],
      about: ['wiredCount'],
    },
    (model) => {
      const { userSpots, kernelSpots, pageSize } = model.stage;
      model.look = 0;
      for (const [index, va] of userSpots.entries()) {
        model.enter(0, va, index % 4, RW, RW | WIRED);
        model.enter(0, va, index % 4, RW, RW | (index % 2 === 0 ? WIRED : 0));
        model.enter(0, va, (index + 1) % 4, RW, RW | WIRED);
      }
      model.enter(KERNEL, kernelSpots[0]!, 0, RW, RW | WIRED);
      model.unwire(0, userSpots[0]!);
      model.enter(0, userSpots[0]!, 1, R, R | WIRED);
      model.protect(0, userSpots[1]!, userSpots[1]! + pageSize, R);
      model.protect(0, userSpots[2]!, userSpots[2]! + pageSize, NONE);
      for (const va of userSpots) model.remove(0, va, va + pageSize);
      model.remove(KERNEL, kernelSpots[0]!, kernelSpots[0]! + pageSize);
    },
  ),
  modelCase(
    {
      id: 'PMAP-FORK-001',
      sentence: 'fork copies no mapping',
      clauses: ['fork.copies'],
      inapplicable: () => null,
    },
    (model) => {
      model.look = LOOK_LOAD;
      model.activate(1);
      for (const va of model.stage.userSpots) model.enter(0, va, 0, RW, RW);
      const { pmap } = model.stage;
      pmap.fork?.(model.stage.id(0), model.stage.id(1));
      model.observer.observe();
    },
  ),
  kitCase(
    {
      id: 'PMAP-EVENT-001',
      sentence: 'every call that does something tells so, while someone watches',
      clauses: ['Pmap.events'],
    },
    ({ port }) =>
      onModel(port, {}, (model) => {
        const { pmap, userSpots, kenterSpots, pageSize, md } = model.stage;
        const va = userSpots[0]!;
        const { pa } = model.pages[0]!;
        const kva = kenterSpots[0]!;
        let id = 0;
        const steps: readonly [string, () => void][] = [
          ['pmap.create', () => (id = pmap.create())],
          ['pmap.activate', () => pmap.activate(id)],
          ['pmap.enter', () => void pmap.enter(id, va, pa, RW, RW | WIRED)],
          ['pmap.unwire', () => pmap.unwire(id, va)],
          ['pmap.protect', () => pmap.protect(id, va, va + pageSize, R)],
          ['pmap.clearModify', () => void pmap.clearModify(pa)],
          ['pmap.clearReference', () => void pmap.clearReference(pa)],
          ['pmap.pageProtect', () => pmap.pageProtect(pa, NONE)],
          ['pmap.enter', () => void pmap.enter(id, va, pa, RW, RW)],
          ['pmap.forget', () => void pmap.forget(id, va, va + pageSize)],
          ['pmap.enter', () => void pmap.enter(id, va, pa, RW, RW)],
          ['pmap.collect', () => pmap.collect(id)],
          ['pmap.update', () => pmap.update(id)],
          ['pmap.remove', () => pmap.remove(id, va, va + pageSize)],
          ['pmap.kenter', () => pmap.kenterPa(kva, pa, RW)],
          ['pmap.kremove', () => pmap.kremove(kva, pageSize)],
          [
            'pmap.destroy',
            () => {
              pmap.deactivate(id);
              pmap.destroy(id);
            },
          ],
        ];
        md.currentCpu = 0;
        for (const [name, run] of steps) {
          const told = eventsOf(model, run);
          // An update that has nothing to do has nothing to tell, nor has a collect that does nothing.
          const quiet = name === 'pmap.update' || name === 'pmap.collect';
          if (!quiet && !told.includes(name))
            throw model.wrong(`events of ${name}`, name, told.join(' ') || 'none');
        }
      }),
  ),
];
