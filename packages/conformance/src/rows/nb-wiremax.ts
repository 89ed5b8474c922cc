import { VM_PROT_EXECUTE, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import { O_RDONLY } from '@uvmkit/machine';
import { MAP_PRIVATE } from '@uvmkit/uvm-core';
import { type LiveRow, row } from '../row.ts';
import { told } from '../world.ts';

const SOURCE =
  'NetBSD PRs 10363, 12554, 12604, 13041, 13487, 14580, 14853: the commit of 31 December 2001';
const PAGES = 4;

/** The rows on what may be lost under a lock, under the policy that the commit of 31 December 2001 made the rule. */
export const wiremaxRows: readonly LiveRow[] = [
  row({
    id: 'NB-WIREMAX-4',
    sentence:
      "locking a private mapping that may be written one day gives the process pages of its own, none of the file's",
    source: SOURCE,
    setup: (world) => {
      const { fd } = world.file(PAGES * world.page, O_RDONLY);
      return world.map(fd, PAGES * world.page, VM_PROT_READ | VM_PROT_EXECUTE, MAP_PRIVATE);
    },
    action: (world, va) => {
      const { process, page } = world;
      const owners = (): string => {
        const all = Array.from({ length: PAGES }, (_, i) => world.owner(va + i * page));
        return [...new Set(all)].join(' ');
      };
      const before = owners();
      const mlock = told(process.sys.mlock(va, PAGES * page));
      const after = owners();
      // The store finds the locked page writable: nothing is substituted under the lock.
      world.must('mprotect', process.sys.mprotect(va, PAGES * page, VM_PROT_READ | VM_PROT_WRITE));
      process.store8(va, 1);
      const munlock = told(process.sys.munlock(va, PAGES * page));
      return { before, mlock, after, munlock, 'pages wired': world.wiredPages };
    },
    expected: { before: 'object', mlock: 'ok', after: 'anon', munlock: 'ok', 'pages wired': 0 },
  }),
];
