import { PMAP_CANFAIL } from '@uvmkit/pmap';
import type { CaseContext, KitCase } from '../case.ts';
import { LOOK_LOAD, LOOK_STORE, type Model, type ModelOptions } from '../model.ts';
import { KERNEL } from '../stage.ts';
import { kitCase, modelCase, onModel } from './define.ts';
import { R, RW, WIRED } from './rights.ts';

const USER = 8;

/** On the port, and on each whose resources are few. */
function onEach(
  { port, scarce, excused }: CaseContext,
  options: ModelOptions,
  run: (model: Model) => void,
): void {
  for (const each of [port, ...Object.values(scarce)])
    onModel(each, { excused, scarce: true, ...options }, (model) => {
      run(model);
      model.sweep();
    });
}

/** What maps that want the same few things get in each other's way with. */
export const fewCases: readonly KitCase[] = [
  kitCase(
    {
      id: 'PMAP-TAGS-003',
      sentence: 'where tags are few, no map sees what another that had its tag has mapped',
      layer: 'resources',
      clauses: ['activate.loads', 'create.empty'],
    },
    (context) =>
      onEach(roomy(context), { maps: 7 }, (model) => {
        const { userSpots } = model.stage;
        model.look = 0;
        // Each map has one page, at an address of its own; all are tried at every address.
        for (let round = 0; round < 35; round++) {
          const map = (round * 3) % 7;
          model.activate(map);
          model.enter(map, userSpots[map % userSpots.length]!, round % 4, RW, RW | PMAP_CANFAIL);
          for (const va of userSpots) model.access(model.cpu, map, va, R | USER);
        }
      }),
  ),
  kitCase(
    {
      id: 'PMAP-TAGS-004',
      sentence:
        'where tags are few, a map that is made after another was destroyed sees nothing of it',
      layer: 'resources',
      clauses: ['destroy.drops', 'create.empty', 'activate.loads'],
    },
    (context) =>
      onEach(roomy(context), { maps: 3 }, (model) => {
        const userSpots = model.stage.userSpots.slice(0, 3);
        model.look = 0;
        for (let round = 0; round < 36; round++) {
          const map = round % 3;
          model.renew(map);
          model.activate(map);
          for (const va of userSpots) model.access(model.cpu, map, va, R | USER);
          for (const va of userSpots.slice(round % 2))
            model.enter(map, va, round % 4, RW, RW | PMAP_CANFAIL);
          for (const va of userSpots) model.access(model.cpu, map, va, RW | USER);
        }
      }),
  ),
  modelCase(
    {
      id: 'PMAP-DESTROY-004',
      sentence: 'a CPU that ran a map until it was destroyed goes on in the kernel',
      layer: 'resources',
      clauses: ['destroy.drops', 'deactivate.stops'],
    },
    (model) => {
      const { userSpots, kernelSpots } = model.stage;
      model.look = LOOK_LOAD | LOOK_STORE;
      for (const map of [0, 1, 2]) {
        model.activate(map);
        for (const va of userSpots) model.enter(map, va, 1, RW, RW);
        // None is made in its place, whose tables could come to lie where the old ones were.
        model.destroy(map);
        // Not cached by any TLB: it has to be found in whatever tables the CPU walks now.
        model.enter(KERNEL, kernelSpots[map]!, map, RW, RW);
      }
    },
  ),
  kitCase(
    {
      id: 'PMAP-SHORT-007',
      sentence: 'no shortage costs a wired mapping',
      layer: 'resources',
      clauses: ['Pmap.wired', 'Pmap.forgettable', 'enter.shortage'],
    },
    (context) =>
      onEach(context, { maps: 3 }, (model) => {
        const { userSpots } = model.stage;
        model.look = 0;
        const wired: [number, number][] = [];
        const enter = (map: number, vas: readonly number[], how: number): void => {
          model.activate(map);
          for (const [index, va] of vas.entries()) {
            if (model.enter(map, va, index % 4, RW, RW | how | PMAP_CANFAIL) && how !== 0)
              wired.push([map, va]);
            for (const each of wired) model.observer.present(...each);
          }
        };
        for (const map of [0, 1]) enter(map, userSpots.slice(0, 4), WIRED);
        enter(2, userSpots, 0);
        for (const map of [1, 0]) enter(map, userSpots.slice(4), 0);
      }),
  ),
  kitCase(
    {
      id: 'PMAP-CROWD-005',
      sentence:
        'what hundreds of other mappings push out of the MMU is neither lost nor left behind',
      layer: 'resources',
      clauses: ['Pmap.attributes.survive', 'isModified.exact', 'remove.wired'],
    },
    (context) =>
      onEach(roomy(context), { maps: 2 }, (model) => {
        const { pageSize, userSpots } = model.stage;
        const [va, other] = userSpots;
        const crowd = elsewhere(model, 5 * pageSize);
        const pushOut = (): void => {
          for (const at of crowd) model.access(model.cpu, 0, at, R | USER);
        };
        model.activate(0);
        model.look = 0;
        for (const at of crowd) model.enter(0, at, 1, R, R | PMAP_CANFAIL);
        for (let round = 0; round < 3; round++) {
          model.enter(0, va!, 0, RW, RW | PMAP_CANFAIL);
          model.enter(0, other!, 2, RW, R | PMAP_CANFAIL);
          model.access(model.cpu, 0, va!, RW | USER);
          model.access(model.cpu, 0, other!, R | USER);
          pushOut();
          model.observer.bits();
          model.clearModify(0);
          pushOut();
          model.observer.bits();
          model.remove(0, va!, other! + pageSize);
          for (const at of [va!, other!]) model.access(model.cpu, 0, at, R | USER);
        }
      }),
  ),
  kitCase(
    {
      id: 'PMAP-CROWD-006',
      sentence: 'a kernel address beside one that is mapped after hundreds of user mappings is not',
      layer: 'resources',
      clauses: ['enter.maps', 'kenterPa.maps', 'remove.wired'],
    },
    (context) =>
      onEach(roomy(context), { maps: 2 }, (model) => {
        const { pageSize, kernelSpots } = model.stage;
        model.activate(0);
        model.look = 0;
        const crowd = elsewhere(model, 0);
        for (const at of crowd) {
          model.enter(0, at, 1, RW, RW | PMAP_CANFAIL);
          model.access(model.cpu, 0, at, RW | USER);
        }
        const first = crowd[0]! % SEGMENT;
        for (let segment = 1; segment < 12; segment++) {
          const start = Math.ceil(kernelSpots[0]! / SEGMENT + segment) * SEGMENT;
          model.enter(KERNEL, start + 9 * pageSize, 2, RW, RW | PMAP_CANFAIL);
          model.access(model.cpu, KERNEL, start + first, R);
          model.remove(KERNEL, start, start + SEGMENT);
        }
      }),
  ),
  kitCase(
    {
      id: 'PMAP-CROWD-007',
      sentence: 'mappings that a hash throws together are all reached, or fault in again',
      layer: 'resources',
      clauses: ['enter.maps', 'Pmap.forgettable', 'Pmap.attributes.survive'],
    },
    (context) =>
      onEach(roomy(context), { maps: 1 }, (model) => {
        const { userHoles, userMax } = model.port.layout;
        const { pageSize } = model.stage;
        const end = userHoles[0]?.start ?? userMax;
        // Alike in the bits above the page that are hashed, or opposite in all of them.
        const bits = HASHED - pageSize;
        const vas = Array.from({ length: 24 }, (_, index) => HASHED * (index + 1) + 3 * pageSize)
          .flatMap((va) => [va, va - 6 * pageSize + bits])
          .filter((va) => va < end - pageSize)
          // All of one kind first: they fill what is meant for the others.
          .toSorted((a, b) => (a % HASHED) - (b % HASHED));
        model.activate(0);
        model.look = 0;
        for (const [index, va] of vas.entries())
          model.enter(0, va, index % 4, RW, RW | PMAP_CANFAIL);
        for (let round = 0; round < 4; round++)
          for (const [index, va] of vas.entries()) {
            model.access(model.cpu, 0, va, (index % 5 === round ? RW : R) | USER);
            if (index % 11 === round) model.clearModify(index % 4);
          }
        model.observer.bits();
      }),
  ),
  modelCase(
    {
      id: 'PMAP-KENTER-008',
      sentence: "what kenterPa made stays when all of the kernel's map is forgotten",
      clauses: ['kenterPa.maps', 'forget.range', 'forget.count'],
    },
    (model) => {
      const { kernelSpots, kenterSpots, pmap, pageSize } = model.stage;
      const { start } = pmap.virtualSpace();
      model.look = LOOK_LOAD | LOOK_STORE;
      for (const [index, va] of kernelSpots.entries()) model.enter(KERNEL, va, index % 2, RW, RW);
      for (const va of kenterSpots.slice(0, 1)) model.kenter(va, 2, RW);
      model.forget(KERNEL, start, kenterSpots.at(-1)! + pageSize);
    },
  ),
];

/** Without the ports whose mappings themselves are few: those get other mappings lost than the model looks at. */
function roomy(context: CaseContext): CaseContext {
  const scarce = Object.entries(context.scarce).filter(([word]) => !word.startsWith('pv'));
  return { ...context, scarce: Object.fromEntries(scarce) };
}

/** 256 KB: the least that any MMU maps by one piece of itself. */
const SEGMENT = 2 ** 18;

/** 8 MB: what the low bits of a hash of page numbers tell apart in a small machine. */
const HASHED = 2 ** 23;

/** Addresses of user pages far enough from each other that each wants a piece of the MMU, or a table, of its own. */
function elsewhere(model: Model, offset: number): number[] {
  const { userHoles, userMax } = model.port.layout;
  const end = userHoles[0]?.start ?? userMax;
  const first = model.stage.userSpots[0]! + 2 * SEGMENT + offset;
  return Array.from({ length: 160 }, (_, index) => first + index * SEGMENT).filter(
    (va) => va < end - SEGMENT,
  );
}
