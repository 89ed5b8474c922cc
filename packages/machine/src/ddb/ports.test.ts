import { MAP_ANON, MAP_PRIVATE } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { PORTS } from '../../test/ports.ts';
import { Machine } from '../machine.ts';
import { Ddb } from './ddb.ts';

/** What a port says of a page that may be written, and of one that may not, and of none. */
const DECODED: Readonly<Record<string, readonly [RegExp, RegExp, RegExp]>> = {
  i386: [/PTE 0x\w{8} V RW u U M .*→ 0x/, /PTE 0x\w{8} V u /, /^PTE 0x00000000 invalid$/],
  alpha: [/PTE 0x\w{16} V .*UWE .*→ 0x/, /PTE 0x\w{16} V .*URE /, /^PTE 0x0{16}$/],
  sun4c: [
    /segment 0x\w{8} PMEG \d+: PTE 0x\w{8} V W U M /,
    /PMEG \d+: PTE 0x\w{8} V U /,
    /invalid$/,
  ],
  srmmu: [/PTE 0x\w{8} C M R RWX?_RWX? → 0x/, /PTE 0x\w{8} .*RX_RX/, /^invalid 0x00000000$/],
  oea: [/VSID \w+ API \w+ → 0x\w+ .*PP=10 /, /VSID .* PP=11 /, /^no pvo$/],
  ibm4xx: [/TTE \w{8} .*WR zone /, /TTE \w{8} /, /^no TTE$/],
  sv32: [/PTE 0x\w{8} V R W U A D .*→ 0x/, /PTE 0x\w{8} V R U /, /PTE 0x0{8} invalid$/],
  sv39: [/PTE 0x\w{16} V R W U A D .*→ 0x/, /PTE 0x\w{16} V R U /, /PTE 0x0{16} invalid$/],
};

describe.each(PORTS)('ddb on %s', (name, port) => {
  function boot(): { machine: Machine; ddb: Ddb; va: number; page: number } {
    const machine = new Machine({ port: port(), memory: 16 << 20 });
    const ddb = new Ddb(machine);
    const page = machine.uvm.pageSize;
    const process = machine.spawn();
    const va = process.sys.mmap(0, 4 * page, 3, MAP_ANON | MAP_PRIVATE).value;
    process.store32(va, 0x0102_0304);
    process.store32(va + page, 5);
    process.sys.mprotect(va + page, page, 1);
    return { machine, ddb, va, page };
  }
  const hex = (address: number): string => `0x${address.toString(16)}`;

  it('show pmap decodes in the words of the port', () => {
    const { machine, ddb, va, page } = boot();
    const pmap = machine.processes.get(1)!.space.pmap;
    const [written, protectedPage, none] = DECODED[name]!;
    const decoded = (at: number): string => {
      const lines = ddb.execute(`show pmap ${pmap} ${hex(at)}`);
      expect(ddb.failed).toBe(false);
      expect(lines).toHaveLength(1);
      return lines[0]!.slice(lines[0]!.indexOf(': ') + 2);
    };
    expect(decoded(va)).toMatch(written);
    expect(decoded(va + page + 17)).toMatch(protectedPage);
    expect(decoded(va + 3 * page)).toMatch(none);
    const all = ddb.execute(`show pmap ${pmap}`);
    expect(all[0]).toMatch(
      new RegExp(`^PMAP ${pmap} \\(${name}\\): map=1, resident=\\d+, wired=\\d+, tables=0x`),
    );
    expect(all.filter((line) => /^ {2}0x/.test(line)).map((line) => line.slice(2, 12))).toEqual([
      hex(va),
      hex(va + page),
    ]);
  });

  it('show pmap answers for any address', () => {
    const { machine, ddb } = boot();
    const { userMin, userMax, kernelMin, kernelMax, userHoles } = machine.md.port.layout;
    const holes = userHoles.map(({ start }) => start);
    for (const at of [userMin, userMax - 1, kernelMin, kernelMax - 1, ...holes, 0, 2 ** 32 - 1]) {
      const text = at < 0 ? `0x${BigInt.asUintN(64, BigInt(at)).toString(16)}` : hex(at);
      for (const pmap of [0, 1]) {
        expect(ddb.execute(`show pmap ${pmap} ${text}`)).toHaveLength(1);
        expect(ddb.failed, text).toBe(false);
      }
    }
  });

  it('x sees what the process stored, whatever cache it is in, in the order of the port', () => {
    const { machine, ddb, va, page } = boot();
    expect(ddb.execute(`x ${hex(va)}`)).toEqual([`${hex(va)}: 0x01020304`]);
    const order = machine.md.port.layout.littleEndian ? '04 03 02 01' : '01 02 03 04';
    expect(ddb.execute(`x/4m ${hex(va)}`)[0]).toContain(`: ${order} `);
    machine.processes.get(1)!.store32(va, 0xcafe_f00d);
    expect(ddb.execute(`print ${hex(va)}`)[0]).toContain(': 0xcafef00d (map 1 ');
    // The process goes on to see it too.
    expect(machine.processes.get(1)!.load32(va)).toBe(0xcafe_f00d);
    expect(ddb.execute(`x ${hex(va + page - 4)},2`)).toEqual([
      `${hex(va + page - 4)}: 0x00000000 0x00000005`,
    ]);
  });

  it('every command works', () => {
    const { machine, ddb } = boot();
    const process = machine.processes.get(1)!;
    machine.start(process, function* (thread) {
      yield* thread.fork(function* (child) {
        yield* child.exit(0);
      });
    });
    for (const line of [
      'show map /f 0',
      'show map /f 1',
      'show amap 0',
      'show anon 0',
      'show page /f 1',
      'show pmap 0',
      'show uvmexp',
      'show swap',
      'break proc.fork',
      'continue',
      'step',
      'trace',
      'ps',
    ]) {
      expect(ddb.execute(line), line).not.toEqual([]);
      expect(ddb.failed, line).toBe(false);
    }
  });
});
