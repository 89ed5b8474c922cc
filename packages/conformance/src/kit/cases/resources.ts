import {
  bootBare,
  ENOMEM,
  KernelPanic,
  NO_PA,
  NO_PMAP,
  PMAP_CANFAIL,
  type Port,
} from '@uvmkit/pmap';
import type { KitCase } from '../case.ts';
import { LOOK_LOAD, LOOK_STORE, type Model } from '../model.ts';
import { kitCase, modelCase, onModel } from './define.ts';
import { randomCase } from './random.ts';
import { R, RW, WIRED } from './rights.ts';

/** Table pages that a map takes, at least: none where tables are not pages that UVM gives. */
interface Taken {
  readonly byCreate: number;
  /** By its first mapping: none where a map has all its tables from the start. */
  readonly byEnter: number;
}

const pages: WeakMap<Port, Taken> = new WeakMap();

function tablePages(port: Port): Taken {
  let taken = pages.get(port);
  if (taken === undefined) {
    const machine = bootBare(port);
    const before = machine.tablePagesOut;
    const { pmap } = machine.md;
    const { pageSize, userMax } = port.layout;
    const id = pmap.create();
    const byCreate = machine.tablePagesOut - before;
    pmap.enter(id, userMax - pageSize, machine.takePage(), RW, RW | PMAP_CANFAIL);
    taken = { byCreate, byEnter: machine.tablePagesOut - before - byCreate };
    pages.set(port, taken);
  }
  return taken;
}

const needsTables = (port: Port): string | null => {
  const { byCreate, byEnter } = tablePages(port);
  return byCreate + byEnter === 0 ? `${port.name} takes no table pages from UVM` : null;
};

const entersNeedTables = (port: Port): string | null =>
  tablePages(port).byEnter === 0 ? `${port.name} needs no table page to enter a mapping` : null;

/** Enters with what is left, until it is refused; gives more and enters again, until nothing is. */
function squeeze(model: Model, how: number): void {
  const { machine, userSpots } = model.stage;
  model.look = LOOK_LOAD | LOOK_STORE;
  for (let spare = 0; spare <= 12; spare++) {
    for (const map of [0, 1, 2]) model.renew(map);
    machine.tablePageLimit = machine.tablePagesOut + spare;
    for (const map of [0, 1, 2]) {
      model.activate(map);
      for (const [index, va] of userSpots.entries())
        model.enter(map, va, index % 4, RW, RW | PMAP_CANFAIL | how);
    }
    machine.tablePageLimit = Number.POSITIVE_INFINITY;
    for (const map of [0, 1, 2]) {
      model.activate(map);
      for (const [index, va] of userSpots.entries())
        if (!model.enter(map, va, index % 4, RW, RW | PMAP_CANFAIL | how))
          throw model.wrong('pmap.enter with memory to spare', '0', 'ENOMEM');
    }
  }
}

export const resourceCases: readonly KitCase[] = [
  ...[0, WIRED].map((how, index) =>
    modelCase(
      {
        id: `PMAP-SHORT-00${index + 1}`,
        sentence: `${how === 0 ? 'mappings' : 'wired mappings'} that table pages are too few for are refused with every count right, and made once there are enough`,
        layer: 'resources',
        clauses: ['enter.returns', 'enter.shortage', 'residentCount.counts', 'wiredCount.counts'],
        inapplicable: needsTables,
        model: { scarce: true },
      },
      (model) => squeeze(model, how),
    ),
  ),
  kitCase(
    {
      id: 'PMAP-SHORT-003',
      sentence: 'without PMAP_CANFAIL the same shortage is a panic',
      layer: 'resources',
      clauses: ['enter.shortage'],
      inapplicable: entersNeedTables,
    },
    ({ port }) =>
      onModel(port, {}, (model) => {
        const { pmap, machine, userSpots } = model.stage;
        const id = model.stage.id(0);
        machine.tablePageLimit = machine.tablePagesOut;
        const enter = (flags: number): number =>
          pmap.enter(id, userSpots.at(-1)!, model.pages[0]!.pa, RW, RW | WIRED | flags);
        const error = enter(PMAP_CANFAIL);
        if (error !== ENOMEM)
          throw model.wrong('pmap.enter with no table page', 'ENOMEM', `${error}`);
        if (pmap.extract(id, userSpots.at(-1)!) !== NO_PA)
          throw model.wrong('the mapping that was refused', 'none', 'one');
        try {
          enter(0);
        } catch (panic) {
          if (panic instanceof KernelPanic) return;
          throw panic;
        }
        throw model.wrong('pmap.enter without PMAP_CANFAIL', 'a panic', 'a return');
      }),
  ),
  kitCase(
    {
      id: 'PMAP-SHORT-004',
      sentence:
        'create answers NO_PMAP when pages are short, changes nothing, and succeeds when they are back',
      layer: 'resources',
      clauses: ['create.shortage'],
    },
    ({ port }) =>
      onModel(port, { maps: 0 }, (model) => {
        const { pmap, machine } = model.stage;
        const before = machine.tablePagesOut;
        machine.tablePageLimit = before;
        const refused = pmap.create();
        if (refused === NO_PMAP && machine.tablePagesOut !== before)
          throw model.wrong(
            'table pages out after NO_PMAP',
            `${before}`,
            `${machine.tablePagesOut}`,
          );
        machine.tablePageLimit = Number.POSITIVE_INFINITY;
        const id = refused === NO_PMAP ? pmap.create() : refused;
        if (id === NO_PMAP || id === 0)
          throw model.wrong('pmap.create with memory', 'a handle', `${id}`);
        pmap.destroy(id);
        if (machine.tablePagesOut > before)
          throw model.wrong(
            'table pages out after destroy',
            `${before}`,
            `${machine.tablePagesOut}`,
          );
      }),
  ),
  randomCase(
    {
      id: 'PMAP-SHORT-005',
      sentence: 'port and ideal agree after any sequence of calls while table pages come and go',
      layer: 'resources',
      clauses: ['enter.shortage', 'Pmap.forgettable', 'Pmap.attributes.survive'],
      inapplicable: needsTables,
    },
    {
      runs: 100,
      length: 50,
      model: { scarce: true },
      without: ['renew', 'kernelEnter', 'copy'],
      begin: (model) => {
        const { machine } = model.stage;
        machine.tablePageLimit = machine.tablePagesOut + 4;
      },
    },
  ),
  randomCase(
    {
      id: 'PMAP-SHORT-006',
      sentence:
        'port and ideal agree after any sequence of calls where pv entries, contexts, PMEGs or the like are few',
      layer: 'resources',
      clauses: ['enter.shortage', 'Pmap.forgettable', 'Pmap.attributes.survive'],
    },
    { runs: 80, length: 60, model: { scarce: true }, scarce: true, without: ['renew'] },
  ),
  modelCase(
    {
      id: 'PMAP-TAGS-001',
      sentence: 'more maps than there are address-space tags do not see each other',
      layer: 'resources',
      clauses: ['activate.loads', 'create.empty'],
      model: { maps: 20, scarce: true },
    },
    (model) => {
      const [va, other] = model.stage.userSpots;
      model.look = LOOK_LOAD;
      for (let round = 0; round < 3; round++)
        for (const map of model.maps.keys()) {
          model.activate(map);
          model.enter(map, va!, (map + round) % 4, RW, RW | PMAP_CANFAIL);
          if (map % 3 === 0) model.enter(map, other!, map % 4, R, R | PMAP_CANFAIL);
        }
    },
  ),
  kitCase(
    {
      id: 'PMAP-TAGS-002',
      sentence: 'maps that come and go faster than tags can be used again do not see each other',
      layer: 'resources',
      clauses: ['activate.loads', 'destroy.drops', 'create.empty'],
    },
    ({ port, excused, effort }) =>
      onModel(port, { excused, maps: 2 }, (model) => {
        const [va] = model.stage.userSpots;
        // As many as there are, where that is not too many to try.
        const tags = Math.min(port.capabilities.addressSpaceTags, 600 * effort);
        model.look = LOOK_LOAD;
        for (let round = 0; round < tags + 40; round++) {
          const map = round % 2;
          if (round > 1) model.renew(map);
          model.activate(map);
          model.enter(map, va!, round % 4, RW, R);
        }
      }),
  ),
  kitCase(
    {
      id: 'PMAP-MANY-001',
      sentence: 'hundreds of mappings of a few pages are all reached, or fault in again',
      layer: 'resources',
      clauses: ['Pmap.forgettable', 'enter.maps', 'pageProtect.lowers'],
    },
    ({ port, excused }) => {
      onModel(port, { excused, scarce: true, maps: 2 }, (model) => manyMappings(model, port));
    },
  ),
];

/** 600 mappings a map, spread so that they share tables, groups of a hash table and segments. */
function manyMappings(model: Model, port: Port): void {
  const { userSpots, pageSize } = model.stage;
  const base = userSpots[3]!;
  const { userMax, userHoles } = port.layout;
  const end = userHoles[0]?.start ?? userMax;
  const vas: number[] = [];
  for (const stride of [pageSize, 2 ** 18, 2 ** 22])
    for (let count = 1; count <= 200; count++) {
      const va = base + count * stride;
      if (va < end - pageSize) vas.push(va);
    }
  const all = [...new Set(vas)];
  model.look = 0;
  for (const map of [0, 1]) {
    model.activate(map);
    for (const [index, va] of all.entries()) model.enter(map, va, index % 4, RW, RW | PMAP_CANFAIL);
  }
  for (const map of [0, 1, 0]) {
    model.activate(map);
    for (const va of all) {
      if (model.observer.present(map, va)) model.access(model.cpu, map, va, R | 8);
      model.access(model.cpu, map, va, RW | 8);
    }
  }
  model.pageProtect(0, R);
  model.pageProtect(1, 0);
  for (const va of all) model.access(model.cpu, 0, va, RW | 8);
  model.remove(0, base, end);
  for (const va of all) model.access(model.cpu, 0, va, R | 8);
}
