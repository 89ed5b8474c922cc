import type { KitCase } from '../case.ts';
import { LOOK_BITS, LOOK_FETCH, LOOK_LOAD, LOOK_NAMED, LOOK_STORE, type Model } from '../model.ts';
import { KERNEL, UNMANAGED } from '../stage.ts';
import { modelCase } from './define.ts';
import { both } from './enter.ts';
import { NONE, R, RW, RWX, RX, W, WIRED, X } from './rights.ts';

const ALL = LOOK_LOAD | LOOK_FETCH | LOOK_STORE | LOOK_BITS | LOOK_NAMED;
const STORES = LOOK_LOAD | LOOK_STORE | LOOK_BITS | LOOK_NAMED;

/** Maps something everywhere in map 0, wired or not, and stores to it. */
function fill(model: Model, how: number): void {
  model.look = STORES;
  for (const [index, va] of model.stage.userSpots.entries())
    model.enter(0, va, index % 4, RW, RW | how);
}

/** Whether the port says that a wired mapping that has gone is no matter. */
const unwires = (model: Model): string => model.port.capabilities.unwireMissing;

export const rangeCases: readonly KitCase[] = [
  modelCase(
    {
      id: 'PMAP-REMOVE-001',
      sentence: 'nothing of a removed range is reached, and all around it still is',
      clauses: ['remove.wired', 'Pmap.ranges'],
    },
    (model) => {
      const { userSpots, pageSize } = model.stage;
      model.activate(0);
      for (const [first, last] of [
        [0, 0],
        [1, 1],
        [0, 2],
        [1, 3],
        [2, 5],
        [userSpots.length - 1, userSpots.length - 1],
      ] as const) {
        fill(model, WIRED);
        model.remove(
          0,
          userSpots[first]!,
          userSpots[Math.min(last, userSpots.length - 1)]! + pageSize,
        );
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-REMOVE-002',
      sentence: 'wired mappings are removed too, and counted no more',
      clauses: ['remove.wired', 'wiredCount.counts'],
    },
    (model) => {
      const { userMin, userMax } = model.port.layout;
      model.activate(0);
      fill(model, WIRED);
      model.remove(0, userMin, userMax);
      model.look = 0;
      const [va] = model.stage.kernelSpots;
      model.enter(KERNEL, va!, 0, RW, RW | WIRED);
      model.remove(KERNEL, va!, va! + model.stage.pageSize);
    },
  ),
  modelCase(
    {
      id: 'PMAP-REMOVE-003',
      sentence: 'what was stored to through a removed mapping stays modified',
      clauses: ['remove.attributes', 'Pmap.attributes.survive', 'Pmap.attributes.page'],
    },
    (model) => {
      const { userSpots, pageSize } = model.stage;
      model.activate(0);
      for (const va of userSpots)
        for (const how of [0, WIRED]) {
          model.look = LOOK_STORE;
          model.enter(0, va, 1, RW, R | how);
          model.look = 0;
          model.remove(0, va, va + pageSize);
          model.observer.bits();
          model.clearModify(1);
          model.observer.bits();
        }
    },
  ),
  modelCase(
    {
      id: 'PMAP-REMOVE-004',
      sentence: 'a range in which little or nothing is mapped is removed as well',
      clauses: ['remove.holes'],
    },
    (model) => {
      const { userMin, userMax, userHoles } = model.port.layout;
      const end = userHoles[0]?.start ?? userMax;
      model.activate(0);
      model.remove(0, userMin, end);
      model.enter(0, model.stage.userSpots.at(3)!, 0, RW, RW);
      model.remove(0, userMin, end);
      model.remove(0, userMin, userMin);
      model.remove(1, userMin, end);
    },
  ),
  modelCase(
    {
      id: 'PMAP-REMOVE-005',
      sentence: 'a removed mapping is gone for every CPU that runs the map',
      clauses: ['remove.wired', 'Pmap.deferred', 'update.visible'],
      model: { cpus: 2 },
    },
    (model) => {
      both(model);
      for (const how of [0, WIRED]) {
        fill(model, how);
        for (const va of model.stage.userSpots) model.remove(0, va, va + model.stage.pageSize);
        fill(model, how);
        const { userMin, userMax } = model.port.layout;
        model.remove(0, userMin, userMax);
      }
      model.look = STORES;
      for (const va of model.stage.kernelSpots) {
        model.enter(KERNEL, va, 0, RW, RW);
        model.remove(KERNEL, va, va + model.stage.pageSize);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-PROTECT-001',
      sentence: 'stores to a range protected against them are refused, loads are not',
      clauses: ['protect.lowers'],
    },
    (model) => {
      const { userSpots, pageSize } = model.stage;
      model.activate(0);
      for (const prot of [R, RX])
        for (const last of [0, 2, userSpots.length - 2]) {
          fill(model, 0);
          model.protect(0, userSpots[0]!, userSpots[last]! + pageSize, prot);
        }
      model.look = ALL;
      for (const va of model.stage.kernelSpots) {
        model.enter(KERNEL, va, 0, RW, RW);
        model.protect(KERNEL, va, va + pageSize, R);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-PROTECT-002',
      sentence: 'protecting against everything removes, wired mappings too',
      clauses: ['protect.none', 'protect.wired'],
    },
    (model) => {
      const { userSpots, pageSize } = model.stage;
      model.activate(0);
      for (const how of [0, WIRED]) {
        fill(model, how);
        model.protect(0, userSpots[0]!, userSpots.at(-2)! + pageSize, NONE);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-PROTECT-003',
      sentence: 'wired mappings stay wired at the lower protection',
      clauses: ['protect.wired', 'protect.lowers'],
    },
    (model) => {
      const { userSpots, pageSize } = model.stage;
      model.activate(0);
      fill(model, WIRED);
      for (const va of userSpots) model.protect(0, va, va + pageSize, R);
      model.collect(0);
    },
  ),
  modelCase(
    {
      id: 'PMAP-PROTECT-004',
      sentence: 'a page stored to before its protection was lowered stays modified',
      clauses: ['protect.lowers', 'Pmap.attributes.survive', 'isModified.exact'],
    },
    (model) => {
      const { userSpots, pageSize } = model.stage;
      model.activate(0);
      for (const va of userSpots) {
        model.look = LOOK_STORE;
        model.enter(0, va, 2, RW, R);
        model.look = LOOK_LOAD;
        model.protect(0, va, va + pageSize, R);
        model.observer.bits();
        model.clearModify(2);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-PROTECT-005',
      sentence: 'protection is lowered for every CPU that runs the map',
      clauses: ['protect.lowers', 'Pmap.deferred', 'update.visible'],
      model: { cpus: 2 },
    },
    (model) => {
      const { pageSize, kernelSpots, userSpots } = both(model).stage;
      for (const how of [0, WIRED])
        for (const prot of [R, NONE]) {
          fill(model, how);
          for (const va of userSpots) model.protect(0, va, va + pageSize, prot);
          fill(model, how);
          model.protect(0, userSpots[0]!, userSpots[2]! + pageSize, prot);
        }
      for (const va of kernelSpots) {
        model.enter(KERNEL, va, 0, RW, RW);
        model.protect(KERNEL, va, va + pageSize, R);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-PROTECT-006',
      sentence: 'asking for more protection than there is takes none away',
      clauses: ['protect.raising'],
    },
    (model) => {
      const { userSpots, pageSize } = model.stage;
      model.activate(0);
      model.look = ALL;
      for (const va of userSpots.slice(0, 3)) {
        model.enter(0, va, 0, R, R);
        model.protect(0, va, va + pageSize, RW);
        model.enter(0, va, 0, RX, R);
        model.protect(0, va, va + pageSize, RWX);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-PROTECT-007',
      sentence: 'protecting with WRITE alone removes',
      clauses: ['protect.none'],
      about: ['protectWithoutRead'],
    },
    (model) => {
      const [va] = model.stage.userSpots;
      model.enter(0, va!, 0, RW, RW);
      model.protect(0, va!, va! + model.stage.pageSize, W);
    },
  ),
  modelCase(
    {
      id: 'PMAP-PROTECT-008',
      sentence: 'protecting with EXECUTE alone keeps wired mappings',
      clauses: ['protect.none', 'protect.wired'],
      about: ['protectWithoutRead'],
    },
    (model) => {
      const [va] = model.stage.userSpots;
      model.enter(0, va!, 0, RWX, R | WIRED);
      model.protect(0, va!, va! + model.stage.pageSize, X);
    },
  ),
  modelCase(
    {
      id: 'PMAP-UNWIRE-001',
      sentence: 'an unwired mapping stays and is counted as wired no more',
      clauses: ['unwire.takes', 'wiredCount.counts'],
    },
    (model) => {
      model.activate(0);
      fill(model, WIRED);
      for (const va of model.stage.userSpots) model.unwire(0, va);
      for (const [index, va] of model.stage.kernelSpots.entries()) {
        model.enter(KERNEL, va, index, RW, RW | WIRED);
        model.unwire(KERNEL, va);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-UNWIRE-002',
      sentence: 'unwiring one mapping leaves the others wired',
      clauses: ['unwire.takes', 'collect.wired', 'Pmap.forgettable'],
    },
    (model) => {
      model.activate(0);
      fill(model, WIRED);
      for (const map of [1, 2]) model.enter(map, model.stage.userSpots[0]!, 0, RW, RW | WIRED);
      model.unwire(0, model.stage.userSpots[0]!);
      for (const map of [0, 1, 2]) model.collect(map);
    },
  ),
  modelCase(
    {
      id: 'PMAP-UNWIRE-003',
      sentence:
        'unwiring where nothing is mapped does what the port says: panic, print, or nothing',
      clauses: ['unwire.missing'],
    },
    (model) => {
      const { pmap, machine, md } = model.stage;
      const [va] = model.stage.userSpots;
      model.enter(0, va!, 0, RW, RW | WIRED);
      model.remove(0, va!, va! + model.stage.pageSize);
      const printed = machine.printed.length;
      let outcome = 'silent';
      try {
        model.stage.note(() => `pmap.unwire(map0, 0x${va!.toString(16)});`);
        pmap.unwire(model.stage.id(0), va!);
        if (md === machine.md && machine.printed.length > printed) outcome = 'prints';
      } catch (error) {
        if (!(error instanceof Error) || error.name !== 'KernelPanic') throw error;
        outcome = 'panics';
      }
      if (outcome !== unwires(model)) throw model.wrong('pmap.unwire', unwires(model), outcome);
    },
  ),
  modelCase(
    {
      id: 'PMAP-COLLECT-001',
      sentence: 'collect keeps wired mappings, and what it forgets faults in again with its marks',
      clauses: ['collect.wired', 'collect.may', 'Pmap.forgettable', 'Pmap.attributes.survive'],
    },
    (model) => {
      model.activate(0);
      fill(model, 0);
      model.enter(0, model.stage.userSpots[1]!, 1, RW, RW | WIRED);
      model.enter(0, model.stage.userSpots[3]!, 1, RW, RW | WIRED);
      model.collect(0);
      model.observer.bits();
      model.collect(0);
    },
  ),
  modelCase(
    {
      id: 'PMAP-COLLECT-002',
      sentence: 'collect forgets for every CPU that runs the map',
      clauses: ['collect.may', 'Pmap.deferred'],
      model: { cpus: 2 },
    },
    (model) => {
      both(model);
      fill(model, 0);
      model.collect(0);
      for (const [index, va] of model.stage.userSpots.entries())
        model.enter(0, va, (index + 1) % 4, RW, RW);
    },
  ),
  modelCase(
    {
      id: 'PMAP-FORGET-001',
      sentence:
        'forget forgets what is not wired in the range, all of it and nothing else, and says how much',
      clauses: ['forget.range', 'forget.anytime', 'forget.count'],
    },
    (model) => {
      const { userSpots, kernelSpots, pageSize } = model.stage;
      model.activate(0);
      for (const how of [0, WIRED])
        for (const [first, last] of [
          [1, 1],
          [0, 2],
          [2, 4],
        ] as const) {
          fill(model, 0);
          model.enter(0, userSpots[1]!, 0, RW, RW | how);
          model.forget(0, userSpots[first]!, userSpots[last]! + pageSize);
          model.forget(1, userSpots[first]!, userSpots[last]! + pageSize);
        }
      for (const [index, va] of kernelSpots.entries())
        model.enter(KERNEL, va, index, RW, RW | (index === 1 ? WIRED : 0));
      const { start, end } = model.stage.pmap.virtualSpace();
      model.forget(KERNEL, start, end);
    },
  ),
  modelCase(
    {
      id: 'PMAP-FORGET-002',
      sentence: 'what is forgotten keeps its marks and faults in again',
      clauses: ['forget.attributes', 'forget.tables', 'Pmap.forgettable'],
    },
    (model) => {
      const { userMin, userMax } = model.port.layout;
      model.activate(0);
      for (let round = 0; round < 3; round++) {
        model.look = LOOK_STORE;
        for (const [index, va] of model.stage.userSpots.entries())
          model.enter(0, va, index % 4, RW, R);
        model.look = LOOK_BITS;
        model.forget(0, userMin, userMax);
        for (const page of [0, 1]) model.clearModify(page);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-FORGET-003',
      sentence: 'forget spares what kenterPa made and what is wired, in every map',
      clauses: ['forget.range', 'Pmap.wired'],
    },
    (model) => {
      const { userMin, userMax } = model.port.layout;
      const { kenterSpots, pmap } = model.stage;
      model.look = LOOK_LOAD | LOOK_STORE;
      model.kenter(kenterSpots[0]!, UNMANAGED, RW);
      model.activate(0);
      fill(model, WIRED);
      model.forget(0, userMin, userMax);
      const { start, end } = pmap.virtualSpace();
      model.forget(KERNEL, start, end);
    },
  ),
  modelCase(
    {
      id: 'PMAP-FORGET-004',
      sentence: 'no CPU uses what is forgotten',
      clauses: ['forget.visible', 'forget.anytime', 'Pmap.deferred'],
      model: { cpus: 2 },
    },
    (model) => {
      const { userMin, userMax } = model.port.layout;
      both(model);
      for (let round = 0; round < 3; round++) {
        fill(model, 0);
        for (const va of model.stage.userSpots.slice(0, 2))
          model.on(round % 2).forget(0, va, va + model.stage.pageSize);
        model.forget(0, userMin, userMax);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-COPY-001',
      sentence: 'what copy copies has no more rights than the original, and no wiring',
      clauses: ['copy.may', 'copy.rights'],
    },
    (model) => {
      const { userSpots, pageSize } = model.stage;
      model.activate(1);
      for (const how of [0, WIRED]) {
        model.look = ALL;
        for (const [index, va] of userSpots.entries())
          model.enter(0, va, index % 4, index % 2 === 0 ? R : RW, R | how);
        model.copy(1, 0, userSpots[0]!, userSpots[2]! + pageSize - userSpots[0]!, userSpots[0]!);
        model.copy(1, 0, userSpots[3]!, pageSize, userSpots[3]!);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-UPDATE-001',
      sentence:
        'a port that defers nothing needs no update, and one that defers needs nothing else',
      clauses: ['Pmap.deferred', 'update.visible'],
      model: { cpus: 2 },
    },
    (model) => {
      const { pageSize, userSpots } = both(model).stage;
      model.updates = false;
      for (const step of ['remove', 'protect', 'enter', 'collect'] as const)
        for (const va of userSpots) {
          model.look = STORES;
          model.enter(0, va, 0, RW, RW);
          model.update(0);
          model.look = 0;
          if (step === 'remove') model.remove(0, va, va + pageSize);
          else if (step === 'protect') model.protect(0, va, va + pageSize, R);
          else if (step === 'enter') model.enter(0, va, 1, R, R);
          else model.collect(0);
          model.look = STORES;
          model.update(0);
        }
    },
  ),
];
