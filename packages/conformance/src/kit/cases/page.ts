import type { KitCase } from '../case.ts';
import { LOOK_BITS, LOOK_LOAD, LOOK_NAMED, LOOK_STORE, type Model } from '../model.ts';
import { KERNEL, PAGES } from '../stage.ts';
import { kitCase, modelCase, onModel } from './define.ts';
import { both } from './enter.ts';
import { NONE, R, RW, RWX, RX, W, WIRED, X } from './rights.ts';

const STORES = LOOK_LOAD | LOOK_STORE | LOOK_BITS | LOOK_NAMED;

/** Maps page 0 in every map, the kernel's too, at several addresses. */
function share(model: Model, how: number): void {
  const { userSpots, kernelSpots } = model.stage;
  model.look = STORES;
  for (const map of [0, 1, 2]) {
    model.activate(map);
    for (const spot of [0, 1, 4]) model.enter(map, userSpots[spot]!, 0, RWX, RW | how);
    model.enter(map, userSpots[2]!, 1, RW, RW | how);
  }
  model.enter(KERNEL, kernelSpots[0]!, 0, RW, RW | how);
  model.enter(KERNEL, kernelSpots[1]!, 1, RW, RW | how);
}

/** Looks at page 0 and its neighbour from every map. */
function visit(model: Model): void {
  const { userSpots } = model.stage;
  for (const map of [0, 1, 2]) {
    model.activate(map);
    for (const va of userSpots.slice(0, 5)) {
      model.access(model.cpu, map, va, 1 | 8);
      model.access(model.cpu, map, va, 2 | 8);
    }
  }
}

export const pageCases: readonly KitCase[] = [
  ...([R, RX, X] as const).map((prot, index) =>
    modelCase(
      {
        id: `PMAP-PAGEPROT-00${index + 1}`,
        sentence: `page protection ${['READ', 'READ and EXECUTE', 'EXECUTE'][index]} takes stores from every mapping of the page, wired or not, and from no other`,
        clauses: ['pageProtect.lowers', 'pageProtect.attributes'],
      },
      (model) => {
        for (const how of [0, WIRED]) {
          share(model, how);
          model.pageProtect(0, prot);
          visit(model);
        }
      },
    ),
  ),
  modelCase(
    {
      id: 'PMAP-PAGEPROT-004',
      sentence:
        'page protection NONE takes every mapping of the page that is not wired, and no other',
      clauses: ['pageProtect.lowers', 'pageProtect.attributes', 'Pmap.managed'],
    },
    (model) => {
      share(model, 0);
      model.pageProtect(0, NONE);
      visit(model);
    },
  ),
  modelCase(
    {
      id: 'PMAP-PAGEPROT-005',
      sentence: 'wired mappings are not exempt from it, unless the port says so',
      clauses: ['pageProtect.wired', 'pageProtect.attributes', 'wiredCount.counts'],
    },
    (model) => {
      share(model, WIRED);
      model.pageProtect(0, NONE);
      visit(model);
      model.observer.bits();
    },
  ),
  modelCase(
    {
      id: 'PMAP-PAGEPROT-006',
      sentence: 'page protection with WRITE does nothing',
      clauses: ['pageProtect.lowers'],
    },
    (model) => {
      share(model, 0);
      for (const prot of [W, RW, RWX]) model.pageProtect(0, prot);
      visit(model);
    },
  ),
  modelCase(
    {
      id: 'PMAP-PAGEPROT-007',
      sentence: 'page protection holds for every CPU, whatever map it runs',
      clauses: ['pageProtect.lowers', 'Pmap.deferred'],
      model: { cpus: 2 },
    },
    (model) => {
      const [a, b] = model.stage.userSpots;
      const [k] = model.stage.kernelSpots;
      for (const maps of [
        [0, 0],
        [0, 1],
      ] as const)
        for (const prot of [R, NONE])
          for (const how of [0, WIRED]) {
            model.look = STORES;
            model.on(1).activate(maps[1]);
            model.on(0).activate(maps[0]);
            model.enter(maps[0], a!, 0, RW, RW | how);
            model.on(1).enter(maps[1], b!, 0, RW, RW | how);
            model.on(0).enter(KERNEL, k!, 0, RW, RW | how);
            model.pageProtect(0, prot);
          }
    },
  ),
  modelCase(
    {
      id: 'PMAP-CLEARMOD-001',
      sentence: 'once modified is cleared, the next store through any mapping sets it',
      clauses: ['clearModify.clears', 'isModified.exact', 'Pmap.attributes.exact'],
    },
    (model) => {
      const { userSpots, kernelSpots } = model.stage;
      share(model, 0);
      model.activate(0);
      for (const how of [0, WIRED])
        for (const va of [userSpots[0]!, userSpots[1]!, userSpots[4]!]) {
          model.look = LOOK_STORE;
          model.enter(0, va, 0, RW, RW | how);
          for (let round = 0; round < 2; round++) {
            model.look = 0;
            model.clearModify(0);
            model.observer.bits();
            model.access(model.cpu, 0, va, R | 8);
            model.observer.bits();
            model.access(model.cpu, 0, va, W | 8);
            model.observer.bits();
          }
        }
      model.clearModify(0);
      model.access(model.cpu, KERNEL, kernelSpots[0]!, W);
      model.observer.bits();
    },
  ),
  modelCase(
    {
      id: 'PMAP-CLEARMOD-002',
      sentence: 'clearing modified says whether it was set',
      clauses: ['clearModify.returns'],
    },
    (model) => {
      const [va] = model.stage.userSpots;
      model.look = 0;
      model.activate(0);
      model.clearModify(0);
      model.enter(0, va!, 0, RW, R);
      model.observer.bits();
      model.clearModify(0);
      model.access(model.cpu, 0, va!, W | 8);
      model.clearModify(0);
      model.clearModify(0);
      model.access(model.cpu, 0, va!, W | 8);
      model.remove(0, va!, va! + model.stage.pageSize);
      model.clearModify(0);
      model.clearModify(0);
    },
  ),
  modelCase(
    {
      id: 'PMAP-CLEARMOD-003',
      sentence:
        'wired mappings stay wired when modified or referenced are cleared, unless the port says that they go',
      clauses: ['clearModify.wired', 'clearReference.wired'],
    },
    (model) => {
      share(model, WIRED);
      model.look = 0;
      model.clearModify(0);
      visit(model);
      model.clearReference(0);
      visit(model);
    },
  ),
  modelCase(
    {
      id: 'PMAP-CLEARMOD-004',
      sentence: 'a store by another CPU sets modified after it was cleared, whatever its TLB holds',
      clauses: ['clearModify.clears', 'Pmap.attributes.exact'],
      model: { cpus: 2 },
    },
    (model) => {
      both(model);
      for (const va of model.stage.userSpots.slice(0, 4))
        for (const how of [0, WIRED]) {
          model.look = LOOK_STORE;
          model.enter(0, va, 0, RW, RW | how);
          for (const cpu of [0, 1, 1, 0]) {
            model.look = 0;
            model.clearModify(0);
            model.observer.bits();
            model.access(cpu, 0, va, W | 8);
            model.observer.bits();
          }
        }
    },
  ),
  modelCase(
    {
      id: 'PMAP-CLEARREF-001',
      sentence:
        'a page that was not used since is not referenced, and clearing says whether it was',
      clauses: ['clearReference.clears', 'clearReference.returns', 'isReferenced.used'],
    },
    (model) => {
      const [va] = model.stage.userSpots;
      model.activate(0);
      model.look = LOOK_LOAD;
      model.enter(0, va!, 0, RW, R);
      model.look = LOOK_BITS;
      for (let round = 0; round < 3; round++) model.clearReference(0);
      model.access(model.cpu, 0, va!, R | 8);
      model.remove(0, va!, va! + model.stage.pageSize);
      model.clearReference(0);
      model.clearReference(0);
    },
  ),
  modelCase(
    {
      id: 'PMAP-CLEARREF-002',
      sentence: 'modified survives the clearing of referenced',
      clauses: ['clearReference.clears', 'Pmap.attributes.survive'],
    },
    (model) => {
      share(model, 0);
      model.look = LOOK_BITS;
      model.clearReference(0);
      model.clearReference(1);
      visit(model);
      model.observer.bits();
    },
  ),
  modelCase(
    {
      id: 'PMAP-REFERENCED-001',
      sentence: 'a page that was used is referenced',
      level: 'MAY',
      clauses: ['isReferenced.used', 'isReferenced.may'],
    },
    (model) => {
      const { pmap, userSpots } = model.stage;
      model.activate(0);
      for (const [page, { pa }] of model.pages.slice(0, PAGES).entries()) {
        model.enter(0, userSpots[page]!, page, RW, 0);
        model.access(model.cpu, 0, userSpots[page]!, R | 8);
        if (!pmap.isReferenced(pa))
          throw model.wrong(`pmap.isReferenced(page${page})`, 'true', 'false');
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-MODIFIED-001',
      sentence: 'loads and fetches modify nothing, stores modify the page they fall on',
      clauses: ['isModified.exact'],
    },
    (model) => {
      model.activate(0);
      for (const [index, va] of model.stage.userSpots.entries()) {
        model.look = 0;
        model.enter(0, va, index % PAGES, RWX, R);
        for (const rights of [R, X, R, W, R]) {
          model.access(model.cpu, 0, va, rights | 8);
          model.observer.bits();
        }
        model.clearModify(index % PAGES);
      }
    },
  ),
  kitCase(
    {
      id: 'PMAP-ZERO-001',
      sentence: 'a zeroed page is zero to its last byte, and no other page is',
      clauses: ['zeroPage.zeroes', 'zeroPage.any'],
    },
    ({ port }) =>
      onModel(port, {}, (model) => {
        fillPages(model);
        for (const page of [1, 2]) model.zeroPage(page);
        wholePages(model, (page) => (page === 1 || page === 2 ? 0 : pattern(page)));
      }),
  ),
  kitCase(
    {
      id: 'PMAP-COPYPAGE-001',
      sentence: 'a copied page is the original to its last byte, and the original stays',
      clauses: ['copyPage.copies'],
    },
    ({ port }) =>
      onModel(port, {}, (model) => {
        fillPages(model);
        model.copyPage(1, 2);
        wholePages(model, (page) => pattern(page === 2 ? 1 : page));
      }),
  ),
  modelCase(
    {
      id: 'PMAP-ZERO-002',
      sentence:
        'mappings made later, and managed ones made before, see what zeroing and copying left',
      clauses: ['zeroPage.zeroes', 'copyPage.copies'],
    },
    (model) => {
      model.activate(0);
      model.look = LOOK_LOAD | LOOK_STORE;
      for (const [index, va] of model.stage.userSpots.entries()) {
        model.enter(0, va, index % 2, RW, RW);
        model.zeroPage(index % 2);
        model.look = LOOK_LOAD;
        model.copyPage(index % 2, (index + 1) % 2);
        model.look = LOOK_LOAD | LOOK_STORE;
      }
    },
  ),
  modelCase(
    {
      id: 'PMAP-COPYPAGE-002',
      sentence: 'zeroing and copying set neither referenced nor modified',
      clauses: ['copyPage.attributes'],
    },
    (model) => {
      model.look = LOOK_BITS;
      model.zeroPage(0);
      model.copyPage(0, 1);
    },
  ),
];

/** A byte of its own for each page. */
function pattern(page: number): number {
  return 0xa0 + page;
}

function fillPages(model: Model): void {
  const { memory } = model.stage.machine;
  for (const [page, { pa }] of model.pages.entries()) {
    const bytes = `0x${pattern(page).toString(16)}`;
    model.stage.note(
      () => `machine.memory.bytes.fill(${bytes}, page${page}, page${page} + ${memory.pageSize});`,
    );
    memory.bytes.fill(pattern(page), pa, pa + memory.pageSize);
  }
}

function wholePages(model: Model, wanted: (page: number) => number): void {
  const { machine, md } = model.stage;
  for (const [page, { pa }] of model.pages.entries()) {
    md.syncForDevice?.(pa, machine.memory.pageSize);
    const bytes = machine.memory.bytes.subarray(pa, pa + machine.memory.pageSize);
    const at = bytes.findIndex((byte) => byte !== wanted(page));
    if (at >= 0) throw model.wrong(`byte ${at} of page${page}`, `${wanted(page)}`, `${bytes[at]}`);
  }
}
