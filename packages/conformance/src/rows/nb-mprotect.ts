import { VM_PROT_EXECUTE, VM_PROT_NONE, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import { O_RDONLY } from '@uvmkit/machine';
import { MAP_SHARED } from '@uvmkit/uvm-core';
import { bare, type LiveRow, row } from '../row.ts';
import { told } from '../world.ts';

const ATF = 'NetBSD ATF t_mprotect';
/** Stands for the code of a function. */
const CODE = 0xc3;

/** NetBSD's own tests of mprotect(2). */
export const mprotectRows: readonly LiveRow[] = [
  row({
    id: 'NB-MPROT-01',
    sentence: 'a shared mapping of a file open for reading cannot be made writable',
    source: `${ATF}, mprotect_access`,
    setup: (world) => world.file(world.page, O_RDONLY),
    action: (world, { fd }) => {
      const { process, page } = world;
      const first = world.map(fd, page, VM_PROT_NONE, MAP_SHARED);
      const second = world.map(fd, page, VM_PROT_READ, MAP_SHARED);
      return {
        'from none': told(process.sys.mprotect(first, page, VM_PROT_WRITE)),
        'from read': told(process.sys.mprotect(second, page, VM_PROT_WRITE)),
        munmap: told(process.sys.munmap(first, page)),
      };
    },
    expected: { 'from none': 'EACCES', 'from read': 'EACCES', munmap: 'ok' },
  }),
  row({
    id: 'NB-MPROT-02',
    sentence:
      'a range that wraps around cannot be protected; NetBSD of 2001 finds nothing to protect in it',
    source: `${ATF}, mprotect_err`,
    setup: bare,
    action: ({ process, highest }) => ({
      mprotect: told(process.sys.mprotect(highest, 1, VM_PROT_READ)),
    }),
    // sys_mprotect of 2001 asks for a negative length only, and uvm_map_protect cuts the range down to nothing.
    expected: { 'netbsd-2001': { mprotect: 'ok' }, posix: { mprotect: ['EINVAL', 'ENOMEM'] } },
  }),
  row({
    id: 'NB-MPROT-03',
    sentence: 'code can be called where it may be executed, and nowhere else',
    source: `${ATF}, mprotect_exec`,
    needs: { execute: ['page', 'segment'] },
    setup: (world) => {
      const va = world.anon(1);
      world.process.store8(va, CODE);
      return va;
    },
    action: (world, va) => {
      const { process, page } = world;
      const allow = process.sys.mprotect(va, page, VM_PROT_READ | VM_PROT_EXECUTE);
      const call = world.attempt(() => process.fetch8(va));
      const forbid = process.sys.mprotect(va, page, VM_PROT_READ);
      return {
        allow: told(allow),
        call: call === CODE,
        forbid: told(forbid),
        'child calls': world.child((t) => t.fetch8(va)),
      };
    },
    expected: { allow: 'ok', call: true, forbid: 'ok', 'child calls': 'SIGSEGV' },
  }),
  row({
    id: 'NB-MPROT-05',
    sentence: 'a child that writes to what was made read-only dies of SIGSEGV',
    source: `${ATF}, mprotect_write`,
    setup: (world) => {
      const va = world.anon(1);
      world.fill(va, 3, 0x58);
      return va;
    },
    action: (world, va) => ({
      mprotect: told(world.process.sys.mprotect(va, world.page, VM_PROT_READ)),
      'child writes': world.child((t) => t.store8(va, 0x59)),
      'parent reads': world.process.load8(va),
    }),
    expected: { mprotect: 'ok', 'child writes': 'SIGSEGV', 'parent reads': 0x58 },
  }),
];
