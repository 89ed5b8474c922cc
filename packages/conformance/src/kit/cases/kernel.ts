import type { KitCase } from '../case.ts';
import { LOOK_BITS, LOOK_LOAD, LOOK_NAMED, LOOK_STORE, type Model } from '../model.ts';
import { KERNEL } from '../stage.ts';
import { modelCase } from './define.ts';
import { NONE, R, RW } from './rights.ts';

const STORES = LOOK_LOAD | LOOK_STORE | LOOK_BITS | LOOK_NAMED;

/** `kenterPa` at each of its addresses, of pages in turn. */
function fill(model: Model): void {
  for (const [index, va] of model.stage.kenterSpots.entries()) model.kenter(va, index, RW);
}

export const kernelCases: readonly KitCase[] = [
  modelCase(
    {
      id: 'PMAP-KENTER-001',
      sentence: 'a page entered by kenterPa is reached at once, with no update and no fault',
      clauses: ['kenterPa.maps', 'kenterPa.fails', 'Pmap.wired'],
    },
    (model) => {
      model.updates = false;
      model.look = LOOK_LOAD | LOOK_STORE;
      fill(model);
      const [va] = model.stage.kenterSpots;
      model.kremove(va!, va! + model.stage.pageSize);
      model.update(KERNEL);
      model.kenter(va!, 3, R);
    },
  ),
  modelCase(
    {
      id: 'PMAP-KENTER-002',
      sentence: 'page protection does not touch it',
      clauses: ['kenterPa.maps', 'Pmap.managed'],
    },
    (model) => {
      model.look = LOOK_LOAD;
      fill(model);
      for (const page of model.stage.kenterSpots.keys())
        for (const prot of [R, NONE]) model.pageProtect(page, prot);
    },
  ),
  modelCase(
    {
      id: 'PMAP-KENTER-003',
      sentence: 'loads and stores through it mark nothing',
      clauses: ['kenterPa.maps', 'isModified.exact'],
    },
    (model) => {
      model.look = STORES;
      fill(model);
      for (const page of model.stage.kenterSpots.keys()) model.clearModify(page);
      for (const va of model.stage.kenterSpots) model.access(model.cpu, KERNEL, va, RW);
      model.observer.bits();
    },
  ),
  modelCase(
    {
      id: 'PMAP-KENTER-004',
      sentence: 'it is counted exactly if the port says so',
      clauses: ['kenterPa.counts', 'residentCount.counts', 'wiredCount.counts'],
    },
    (model) => {
      model.look = 0;
      fill(model);
      for (const va of model.stage.kenterSpots) model.kremove(va, va + model.stage.pageSize);
    },
  ),
  modelCase(
    {
      id: 'PMAP-KREMOVE-001',
      sentence: 'kremove removes the range and nothing beside it',
      clauses: ['kremove.removes'],
    },
    (model) => {
      const { kenterSpots, pageSize } = model.stage;
      model.look = STORES;
      for (const [first, last] of [
        [0, 0],
        [1, 1],
        [0, 1],
        [1, 2],
        [0, kenterSpots.length - 1],
      ] as const) {
        for (const [index, va] of kenterSpots.entries())
          if (model.mapping(KERNEL, va) === undefined) model.kenter(va, index, RW);
        model.kremove(kenterSpots[first]!, kenterSpots[last]! + pageSize);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-KREMOVE-002',
      sentence: 'what kenterPa maps and kremove takes is there and gone for every CPU',
      clauses: ['kenterPa.maps', 'kremove.removes', 'Pmap.deferred'],
      model: { cpus: 2 },
    },
    (model) => {
      const { kenterSpots, pageSize } = model.stage;
      model.look = LOOK_LOAD | LOOK_STORE;
      for (const map of [0, 1]) model.on(map).activate(map);
      for (const cpu of [0, 1])
        for (const [page, va] of kenterSpots.entries()) {
          model.on(cpu).kenter(va, page, RW);
          model.on(1 - cpu).kremove(va, va + pageSize);
          model.kenter(va, (page + 1) % 4, RW);
          model.kremove(va, va + pageSize);
        }
    },
  ),
  modelCase(
    {
      id: 'PMAP-KENTER-005',
      sentence: "the kernel's mappings are in every map, made before or after",
      clauses: ['kenterPa.maps', 'growKernel.everywhere', 'create.empty'],
    },
    (model) => {
      const { kenterSpots, kernelSpots } = model.stage;
      model.look = LOOK_LOAD | LOOK_STORE;
      model.activate(0);
      for (const [index, va] of kernelSpots.entries()) model.enter(KERNEL, va, index, RW, RW);
      for (const map of [1, 0, 2]) {
        model.renew(map);
        model.activate(map);
        for (const va of kenterSpots) {
          model.kenter(va, 3, RW);
          model.access(model.cpu, KERNEL, va, R);
          model.kremove(va, va + model.stage.pageSize);
        }
        for (const va of kernelSpots) model.access(model.cpu, KERNEL, va, RW);
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-KENTER-006',
      sentence: "a user does not reach the kernel's pages",
      clauses: ['enter.ceiling'],
    },
    (model) => {
      const { kenterSpots, kernelSpots } = model.stage;
      model.look = 0;
      fill(model);
      for (const [index, va] of kernelSpots.entries()) model.enter(KERNEL, va, index, RW, RW);
      model.activate(0);
      for (const va of [...kenterSpots, ...kernelSpots]) {
        model.access(model.cpu, KERNEL, va, RW);
        for (const rights of [R, RW]) {
          const pa = model.reach(va, rights | 8);
          if (pa >= 0) throw model.wrong(`a user's access at ${va}`, 'a fault', `${pa}`);
        }
      }
    },
  ),
];
