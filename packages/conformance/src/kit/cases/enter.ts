import type { KitCase } from '../case.ts';
import { LOOK_BITS, LOOK_FETCH, LOOK_LOAD, LOOK_NAMED, LOOK_STORE, type Model } from '../model.ts';
import { KERNEL, UNMANAGED } from '../stage.ts';
import { modelCase } from './define.ts';
import { R, RW, RWX, RX, W, WIRED, X } from './rights.ts';

const ALL = LOOK_LOAD | LOOK_FETCH | LOOK_STORE | LOOK_BITS | LOOK_NAMED;

/** CPUs 0 and 1 run map 0, and CPU 0 makes what comes next. */
export function both(model: Model): Model {
  model.on(1).activate(0);
  model.on(0).activate(0);
  return model;
}

/** Pages are entered at each address in turn with each protection, and what may be reached is. */
function everyRight(model: Model, map: number, spots: readonly number[], how: number): void {
  model.look = ALL;
  for (const prot of [R, RW, RX, RWX])
    for (const [index, va] of spots.entries()) {
      model.enter(map, va, index % 4, prot, how);
      model.remove(map, va, va + model.stage.pageSize);
    }
}

export const enterCases: readonly KitCase[] = [
  modelCase(
    {
      id: 'PMAP-ENTER-001',
      sentence:
        'a page entered in a running user map is reached with the rights it was entered with, and no others',
      clauses: ['enter.maps', 'enter.ceiling', 'enter.returns'],
    },
    (model) => {
      model.activate(0);
      everyRight(model, 0, model.stage.userSpots, 0);
    },
  ),
  modelCase(
    {
      id: 'PMAP-ENTER-002',
      sentence: "so is one in the kernel's map",
      clauses: ['enter.maps', 'enter.ceiling', 'enter.returns'],
    },
    (model) => everyRight(model, KERNEL, model.stage.kernelSpots, 0),
  ),
  modelCase(
    {
      id: 'PMAP-ENTER-003',
      sentence: 'so is a wired one, which never faults',
      clauses: ['enter.maps', 'enter.ceiling', 'enter.seed', 'Pmap.wired'],
    },
    (model) => {
      model.activate(0);
      everyRight(model, 0, model.stage.userSpots, WIRED);
      everyRight(model, KERNEL, model.stage.kernelSpots, WIRED);
    },
  ),
  modelCase(
    {
      id: 'PMAP-ENTER-004',
      sentence: 'entering the same page without PMAP_WIRED takes the wiring away',
      clauses: ['enter.again', 'Pmap.wired'],
    },
    (model) => {
      const [va] = model.stage.userSpots;
      model.activate(0);
      model.enter(0, va!, 0, RW, RW | WIRED);
      model.enter(0, va!, 0, RW, RW);
      model.collect(0);
    },
  ),
  modelCase(
    {
      id: 'PMAP-ENTER-005',
      sentence: 'entering the same page with PMAP_WIRED wires it',
      clauses: ['enter.again', 'Pmap.wired'],
    },
    (model) => {
      const [va] = model.stage.userSpots;
      model.activate(0);
      model.enter(0, va!, 0, RW, RW);
      model.enter(0, va!, 0, RW, RW | WIRED);
      model.collect(0);
    },
  ),
  modelCase(
    {
      id: 'PMAP-ENTER-006',
      sentence:
        'entering the same page with less protection refuses from then on what it no longer allows',
      clauses: ['enter.again', 'enter.ceiling'],
    },
    (model) => {
      model.look = ALL;
      model.activate(0);
      for (const va of model.stage.userSpots)
        for (const how of [0, WIRED]) {
          model.enter(0, va, 0, RWX, RWX | how);
          model.enter(0, va, 0, RX, RX | how);
          model.enter(0, va, 0, R, R | how);
        }
    },
  ),
  modelCase(
    {
      id: 'PMAP-ENTER-007',
      sentence: 'entering the same page with more protection allows it from then on',
      clauses: ['enter.again', 'enter.access'],
    },
    (model) => {
      model.look = ALL;
      model.activate(0);
      for (const va of model.stage.userSpots)
        for (const how of [0, WIRED]) {
          model.enter(0, va, 0, R, R | how);
          model.enter(0, va, 0, RW, W | how);
          model.enter(0, va, 0, RWX, RWX | how);
        }
    },
  ),
  modelCase(
    {
      id: 'PMAP-ENTER-008',
      sentence:
        'another page entered at an address is what is reached there, and the first one keeps its marks',
      clauses: ['enter.replace', 'Pmap.attributes.survive'],
    },
    (model) => {
      model.activate(0);
      for (const va of model.stage.userSpots) {
        model.look = LOOK_LOAD | LOOK_STORE | LOOK_NAMED;
        model.enter(0, va, 0, RW, RW);
        model.look = LOOK_LOAD | LOOK_NAMED;
        model.enter(0, va, 1, RW, R);
        model.observer.bits();
        model.clearModify(0);
        model.clearModify(1);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-ENTER-009',
      sentence: 'a page that replaces a wired one takes its wiring with it',
      clauses: ['enter.replace', 'wiredCount.counts'],
    },
    (model) => {
      model.activate(0);
      for (const va of model.stage.userSpots) {
        model.enter(0, va, 0, RW, RW | WIRED);
        model.enter(0, va, 1, RW, RW);
        model.enter(0, va, 2, RW, RW | WIRED);
        model.enter(0, va, 3, R, R | WIRED);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-ENTER-010',
      sentence:
        'the access that an enter names succeeds next, whatever the protection and the mapping before it',
      clauses: ['enter.access'],
    },
    (model) => {
      model.look = LOOK_NAMED | LOOK_BITS;
      model.activate(0);
      for (const va of model.stage.userSpots)
        for (const prot of [R, RW, RX, RWX])
          for (let access = 1; access <= RWX; access++)
            if ((access & ~prot) === 0)
              for (const how of [0, WIRED]) {
                model.enter(0, va, 0, prot, access | how);
                model.enter(0, va, 1, prot, access | how);
                model.enter(0, va, 1, prot, access | how);
              }
    },
  ),
  modelCase(
    {
      id: 'PMAP-ENTER-011',
      sentence: 'a page entered in a map that no CPU runs is reached once one does',
      clauses: ['enter.inactive', 'activate.loads'],
    },
    (model) => {
      model.activate(1);
      for (const [index, va] of model.stage.userSpots.entries())
        model.enter(0, va, index % 4, RW, RW);
      for (const va of model.stage.userSpots) model.enter(1, va, 3, R, R);
      model.look = ALL;
      model.activate(0);
    },
  ),
  modelCase(
    {
      id: 'PMAP-ENTER-012',
      sentence: 'what replaces a mapping on one CPU is reached by every CPU',
      clauses: ['enter.replace', 'Pmap.deferred'],
      model: { cpus: 2 },
    },
    (model) => {
      both(model).look = LOOK_LOAD | LOOK_STORE | LOOK_BITS;
      for (const va of model.stage.userSpots)
        for (const page of [0, 1, 2]) model.enter(0, va, page, RW, RW);
    },
  ),
  modelCase(
    {
      id: 'PMAP-ENTER-013',
      sentence: 'protection that an enter of the same page lowers is lowered for every CPU',
      clauses: ['enter.again', 'Pmap.deferred'],
      model: { cpus: 2 },
    },
    (model) => {
      both(model).look = LOOK_LOAD | LOOK_STORE | LOOK_BITS;
      for (const va of model.stage.userSpots) {
        model.enter(0, va, 0, RW, RW);
        model.enter(0, va, 0, R, R);
        model.on(1).enter(0, va, 0, RW, RW);
        model.enter(0, va, 0, R, R);
        model.on(0);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-ENTER-014',
      sentence: 'the same address in several maps is several mappings',
      clauses: ['enter.maps', 'activate.loads'],
    },
    (model) => {
      const { userSpots } = model.stage;
      for (const va of userSpots)
        for (const map of [0, 1, 2]) model.enter(map, va, map, map === 1 ? R : RW, 0);
      model.look = ALL;
      for (const map of [0, 1, 2, 0, 2, 1, 0]) {
        model.activate(map);
        for (const va of userSpots) model.enter(map, va, (map + 1) % 4, RW, RW);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-ENTER-015',
      sentence: 'a page that UVM does not manage is reached, and nothing done to pages concerns it',
      clauses: ['Pmap.managed', 'enter.maps'],
    },
    (model) => {
      const [a, b, c] = model.stage.userSpots;
      model.look = ALL;
      model.activate(0);
      model.enter(0, a!, UNMANAGED, RW, RW);
      model.enter(0, b!, 0, RW, RW);
      model.pageProtect(0, R);
      model.pageProtect(0, 0);
      model.remove(0, a!, a! + model.stage.pageSize);
      model.enter(0, c!, UNMANAGED, R, R | WIRED);
      model.protect(0, c!, c! + model.stage.pageSize, R);
      model.unwire(0, c!);
    },
  ),
  modelCase(
    {
      id: 'PMAP-ENTER-016',
      sentence: 'a page entered for loads, wired or not, is not taken for stored to',
      level: 'MAY',
      clauses: ['enter.seed', 'isModified.exact'],
    },
    (model) => {
      const [a, b] = model.stage.userSpots;
      model.enter(0, a!, 0, RW, R);
      model.enter(0, b!, 1, RW, R | WIRED);
      for (const page of [0, 1])
        if (model.stage.pmap.isModified(model.pages[page]!.pa))
          throw model.wrong(`pmap.isModified(page${page})`, 'false', 'true');
    },
  ),
  modelCase(
    {
      id: 'PMAP-ENTER-017',
      sentence:
        'a wired page entered for a store is modified from then on, where faults tell of stores',
      clauses: ['enter.seed'],
      inapplicable: ({ capabilities }) =>
        capabilities.modified === 'software' ? null : 'the MMU marks modified pages itself',
    },
    (model) => {
      for (const [index, va] of model.stage.userSpots.slice(0, 3).entries()) {
        model.look = 0;
        model.enter(0, va, index, RW, (index === 0 ? W : RW) | WIRED);
        model.look = LOOK_BITS;
        model.observer.bits();
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-ENTER-018',
      sentence: 'execute permission is enforced page by page',
      clauses: ['enter.ceiling'],
      inapplicable: ({ name, capabilities }) =>
        capabilities.execute === 'page'
          ? null
          : `${name} does not tell fetches of pages from loads`,
    },
    (model) => {
      model.activate(0);
      model.look = LOOK_FETCH | LOOK_LOAD;
      for (const va of model.stage.userSpots) {
        model.enter(0, va, 0, RX, X);
        model.enter(0, va, 0, RW, R);
        model.enter(0, va, 0, RX, R);
        model.protect(0, va, va + model.stage.pageSize, R);
      }
    },
  ),
];
