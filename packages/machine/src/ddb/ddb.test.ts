import { i386 } from '@uvmkit/pmap-i386';
import { MAP_ANON, MAP_PRIVATE, PG_FAKE } from '@uvmkit/uvm-core';
import { beforeEach, describe, expect, it } from 'vitest';
import { Machine } from '../machine.ts';
import type { Process } from '../process.ts';
import { Ddb } from './ddb.ts';

const PAGE = 4096;
const TEXT = 0x804_8000;

let machine: Machine;
let parent: Process;
let ddb: Ddb;
/** Four pages of private memory, the first and third of them written before a fork. */
let va = 0;

beforeEach(() => {
  machine = new Machine({ port: i386(), memory: 4 << 20 });
  ddb = new Ddb(machine);
  const text = new TextEncoder().encode('hello, world\0second\0'.padEnd(9000, 'z'));
  const file = machine.fs.create('prog', text);
  parent = machine.spawn({ segments: [{ va: TEXT, length: 2 * PAGE, prot: 5, file }] });
  va = parent.sys.mmap(0, 4 * PAGE, 3, MAP_ANON | MAP_PRIVATE).value;
  parent.store32(va, 0x1234_5678);
  parent.store32(va + 2 * PAGE, 0x9abc_def0);
  parent.load8(TEXT);
  parent.sys.fork();
  parent.sys.mlock(va, PAGE);
});

/** What a command prints; it must have been one. */
function output(line: string): string {
  const lines = ddb.execute(line);
  expect(ddb.failed).toBe(false);
  return lines.join('\n');
}

/** The first match of a pattern's group, for a number that one command prints and another takes. */
function found(text: string, pattern: RegExp): string {
  const match = pattern.exec(text);
  expect(match, `${pattern} in\n${text}`).not.toBeNull();
  return match![1]!;
}

describe('on a small machine', () => {
  it('show map tells of a map, and /f of its entries', () => {
    expect(output('show map 1')).toMatchInlineSnapshot(`
      "MAP 1: [0x00000000->0xbfc00000]
        #ent=5, sz=0x2006000, ref=1, version=5, flags=0x1<PAGEABLE>
        pmap=1(resident=6, wired=1)"
    `);
    expect(output('show map /f 1')).toMatchInlineSnapshot(`
      "MAP 1: [0x00000000->0xbfc00000]
        #ent=5, sz=0x2006000, ref=1, version=5, flags=0x1<PAGEABLE>
        pmap=1(resident=6, wired=1)
       - 0x08048000->0x0804a000: obj=1/0x0, amap=null/0
         submap=F, cow=T, nc=T, prot(max)=r-x/rwx, inh=copy, wc=0, adv=normal
       - 0x40010000->0x40011000: obj=null/0x0, amap=1/0
         submap=F, cow=T, nc=F, prot(max)=rw-/rwx, inh=copy, wc=1, adv=normal
       - 0x40011000->0x40014000: obj=null/0x0, amap=1/1
         submap=F, cow=T, nc=F, prot(max)=rw-/rwx, inh=copy, wc=0, adv=normal
       - 0xbdc00000->0xbfa00000: obj=null/0x0, amap=null/0
         submap=F, cow=T, nc=T, prot(max)=---/rwx, inh=copy, wc=0, adv=normal
       - 0xbfa00000->0xbfc00000: obj=null/0x0, amap=null/0
         submap=F, cow=T, nc=T, prot(max)=rwx/rwx, inh=copy, wc=0, adv=normal"
    `);
    expect(output('show map/f 1')).toBe(output('show map /f 1'));
    expect(output('show map 0x1')).toBe(output('show map 1'));
  });

  it('show amap tells who refers to an amap and what its slots hold', () => {
    expect(output('show amap 0')).toMatchInlineSnapshot(`
      "AMAP 0: ref=1, flags=0x0
        nslot=4, maxslot=4, nused=2, ppref=none
        map 2 0x40010000->0x40014000 from slot 0
        slot 0: anon 0, ref=1, page=3, swslot=0
        slot 2: anon 1, ref=2, page=5, swslot=0"
    `);
    expect(output('show amap 1')).toMatchInlineSnapshot(`
      "AMAP 1: ref=2, flags=0x0
        nslot=4, maxslot=4, nused=2, ppref=counted
        map 1 0x40010000->0x40011000 from slot 0
        map 1 0x40011000->0x40014000 from slot 1
        slot 0: anon 2, ref=1, page=12, swslot=0
        slot 2: anon 1, ref=2, page=5, swslot=0"
    `);
  });

  it('show anon tells where the data is and which slots hold the anon', () => {
    expect(output('show anon 1')).toMatchInlineSnapshot(`
      "ANON 1: ref=2, page=5, swslot=0
        amap 0 slot 2
        amap 1 slot 2"
    `);
    expect(output('show anon 900')).toBe('ANON 900: free');
  });

  it('show object tells of a file, and /f of its pages', () => {
    expect(output('show object 1')).toMatchInlineSnapshot(`
      "OBJECT 1: pgops=vnode, npages=2, refs=2
        VNODE "prog", size=0x2328, text=T, numoutput=0"
    `);
    expect(output('show object /f 1')).toMatchInlineSnapshot(`
      "OBJECT 1: pgops=vnode, npages=2, refs=2
        VNODE "prog", size=0x2328, text=T, numoutput=0
        PAGES <pg,offset>:
        <6,0x0> <7,0x1000>"
    `);
  });

  it('show page takes an index or a physical address, and /f checks the lists', () => {
    expect(output('show page /f 12')).toMatchInlineSnapshot(`
      "PAGE 12:
        flags=0x0, pqflags=0x10<ANON>, wire_count=1, pa=0x00011000
        uobject=null, uanon=2, offset=0x0, loan_count=0
        modified=F, referenced=F
        on no list and no queue"
    `);
    expect(output('show page 0x11abc')).toBe(output('show page 12'));
    expect(output('show page /f 6')).toMatchInlineSnapshot(`
      "PAGE 6:
        flags=0xc<TABLED,CLEAN>, pqflags=0x4<ACTIVE>, wire_count=0, pa=0x0000b000
        uobject=1, uanon=null, offset=0x0, loan_count=0
        modified=F, referenced=T
        found on the list of object 1
        found on the active queue"
    `);
    expect(output('show page /f 900')).toMatchInlineSnapshot(`
      "PAGE 900:
        flags=0x0, pqflags=0x1<FREE>, wire_count=0, pa=0x00389000
        uobject=null, uanon=null, offset=0x0, loan_count=0
        modified=F, referenced=F
        found on the free list"
    `);
    expect(output('show page /f 0')).toContain('on no list and no queue');
  });

  it('show page /f tells of a page that is not where it says it is', () => {
    const [page] = machine.uvm.pages.freePages();
    machine.uvm.pages.queues.remove(2, page!);
    expect(output(`show page /f ${page}`)).toContain('NOT FOUND on the free list');
  });

  it('show pmap decodes every page that is mapped, or one address', () => {
    expect(output('show pmap 1')).toMatchInlineSnapshot(`
      "PMAP 1 (i386): map=1, resident=6, wired=1, tables=0x3000
        0x08048000: PTE 0x0000b425 V u U PVLIST → 0x0000b000
        0x40010000: PTE 0x00011607 V RW u W PVLIST → 0x00011000
        0x40012000: PTE 0x0000a465 V u U M PVLIST → 0x0000a000
        3 outside of the map's entries"
    `);
    expect(output(`show pmap 1 0x${(va + 5).toString(16)}`)).toMatchInlineSnapshot(
      `"  0x40010005: PTE 0x00011607 V RW u W PVLIST → 0x00011000"`,
    );
    expect(output('show pmap 0')).toMatchInlineSnapshot(`
      "PMAP 0 (i386): map=0, resident=9, wired=9, tables=0x5000
        0xc0005000: PTE 0x00006703 V RW G W PVLIST → 0x00006000
        0xc0006000: PTE 0x00007703 V RW G W PVLIST → 0x00007000
        0xc0007000: PTE 0x0000f703 V RW G W PVLIST → 0x0000f000
        0xc0008000: PTE 0x0000e703 V RW G W PVLIST → 0x0000e000
        5 outside of the map's entries"
    `);
  });

  it('show uvmexp has every counter once', () => {
    const text = output('show uvmexp');
    const values = text.match(/=/g);
    expect(values).toHaveLength(Object.keys(machine.uvm.exp).length);
    const { npages, active, inactive, wired, free, flt_przero } = machine.uvm.exp;
    expect(text).toContain('pagesize=0x1000, pagemask=0xfff, pageshift=12');
    expect(text).toContain(
      `VM pages=${npages}, active=${active}, inactive=${inactive}, wired=${wired}, free=${free}`,
    );
    expect(text).toContain(`przero=${flt_przero}`);
    expect(
      text.split('\n').filter((line) => /^(?:Current| {2}fault c| {2}daemon)/.test(line)),
    ).toEqual(['Current UVM status:', '  fault counts:', '  daemon and swap counts:']);
  });

  it('show uvmexp shows counters that it does not know', () => {
    Object.assign(machine.uvm.exp, { brandnew: 7 });
    expect(output('show uvmexp')).toMatch(/ {2}other counts:\n {4}.*brandnew=7$/);
  });

  it('show swap says that there is none', () => {
    expect(output('show swap')).toBe('no swap configured');
  });

  it('show swap lists the devices in their order', () => {
    const device = {
      drumOffset: 1,
      npages: 1023,
      npginuse: 5,
      npgbad: 1,
      priority: 0,
      enabled: true,
    };
    const devices = [
      { ...device, backend: { name: '/dev/wd0b' } },
      { ...device, backend: { name: 'file' }, drumOffset: 1024, priority: 2, enabled: false },
    ];
    Object.defineProperty(machine.uvm, 'swap', { value: { devices } });
    expect(output('show swap').split('\n').slice(0, -1).join('\n')).toMatchInlineSnapshot(`
      "DEVICE         SLOTS  PAGES  INUSE  BAD  PRIORITY  ENABLED
      /dev/wd0b     1-1023   1023      5    1         0        T
      file       1024-2046   1023      5    1         2        F"
    `);
  });

  it('show all procs and ps list the processes, the dead as well, and the sleepers', () => {
    const child = machine.processes.get(2)!;
    machine.start(child, function* (thread) {
      yield* thread.sleep(5_000);
      yield* thread.exit(3);
    });
    expect(output('show all procs')).toMatchInlineSnapshot(`
      "PID  PPID    STATE  CPU  THREADS  MAP  PMAP  RSS       SIZE  SHARERS       UAREA
      0       -   system    -        0    0     0    9     0x4000        1           -
      1       -    oncpu    0        0    1     1    6  0x2006000        1  0xc0005000
      2       1  running    0        1    2     2    1  0x2006000        1  0xc0007000
      1 runnable at 209300 ns
      1 asleep on channel -18"
    `);
    child.stopSignal = 17;
    expect(output('ps')).toMatch(/^2 +1 +stopped /m);
    child.stopSignal = 0;
    machine.run();
    expect(output('ps')).toMatch(/^2 +1 +zombie +- +0 +0 +0 /m);
    machine.start(parent, function* (thread) {
      yield* thread.wait4();
      yield* thread.fork(function* (other) {
        yield* other.sleep(1);
      });
      yield* thread.wait4();
    });
    machine.run();
    expect(output('ps')).toMatch(/1 asleep on children or threads of process 1$/m);
  });

  it('numbers lead from one command to the next: process, map, amap, anon, page and back', () => {
    const map = found(output('ps'), /^1 +- +\w+ +\d+ +\d+ +(\d+) /m);
    const amap = found(output(`show map /f ${map}`), /amap=(\d+)\//);
    const anon = found(output(`show amap ${amap}`), /slot 0: anon (\d+)/);
    const page = found(output(`show anon ${anon}`), /page=(\d+)/);
    const pa = found(output(`show page ${page}`), /pa=(0x\w+)/);
    expect(output(`show page ${page}`)).toContain(`uanon=${anon},`);
    expect(output(`show page ${pa}`)).toBe(output(`show page ${page}`));
    expect(output(`print 0x${va.toString(16)}`)).toContain(
      `amap ${amap} slot 0, anon ${anon}, page ${page}`,
    );
    const object = found(output(`show map /f ${map}`), /obj=(\d+)\//);
    const text = found(output(`show object /f ${object}`), /<(\d+),0x0>/);
    expect(output(`show page ${text}`)).toContain(`uobject=${object},`);
  });

  it('an amap keeps its number when others go', () => {
    const before = output('show amap 1');
    machine.processes.get(2)!.sys.exit();
    expect(ddb.execute('show amap 0')).toEqual([
      'show amap: expected the number of an amap (1), found "0"',
    ]);
    expect(output('show amap 1').split('\n')[0]).toBe(before.split('\n')[0]);
  });

  it('looking changes nothing', () => {
    const state = (): unknown => [
      { ...machine.uvm.exp },
      machine.now,
      [...machine.uvm.maps].map(({ hint, timestamp }) => [hint.start, timestamp]),
    ];
    const before = state();
    for (const line of [
      'show map /f 1',
      'show pmap 1',
      'show amap 0',
      'show anon 1',
      'show object /f 0',
      'show page /f 12',
      'ps',
      `x/8 ${va}`,
      `print ${va}`,
      'trace',
    ])
      output(line);
    expect(state()).toEqual(before);
  });
});

describe('memory', () => {
  const hex = (address: number): string => `0x${address.toString(16)}`;

  it('print shows a word and the way to it', () => {
    expect(output(`print ${hex(va)}`)).toMatchInlineSnapshot(
      `"0x40010000: 0x12345678 (map 1 0x40010000->0x40011000, amap 1 slot 0, anon 2, page 12, pa 0x00011000)"`,
    );
    expect(output(`print/b ${hex(TEXT + 1)}`)).toMatchInlineSnapshot(
      `"0x08048001: 0x65 (map 1 0x08048000->0x0804a000, object 1 offset 0x0, page 6, pa 0x0000b001)"`,
    );
  });

  it('print tells why there is nothing to show', () => {
    expect(output(`print ${hex(va + PAGE)}`)).toMatchInlineSnapshot(
      `"0x40011000: not in memory (map 1 0x40011000->0x40014000, zeroes that nobody has touched yet)"`,
    );
    expect(output('print 0')).toBe('0x00000000: not in memory (no entry of map 1 covers it)');
    expect(output('print 0xffbfe000')).toBe('0xffbfe000: not in memory (not mapped in the kernel)');
    expect(output('print 0xfff00000')).toBe(
      '0xfff00000: not in memory (not an address of map 1 or the kernel)',
    );
    const { anons, pages } = machine.uvm;
    const { amap } = [...parent.space.map.entries()].find(({ start }) => start === va)!;
    const anon = amap!.anon[0]!;
    const page = anons.page[anon]!;
    pages.flags[page]! |= PG_FAKE;
    expect(output(`print ${hex(va)}`)).toMatch(/not in memory \(.*, being read\)$/);
    anons.page[anon] = -1;
    anons.swslot[anon] = 17;
    expect(output(`print ${hex(va)}`)).toMatch(/, anon \d+, on swap slot 17\)$/);
    anons.swslot[anon] = -1;
    expect(output(`print ${hex(va)}`)).toMatch(/, lost to a bad swap slot\)$/);
  });

  it('x shows words, and goes on where it ended', () => {
    expect(output(`x ${hex(va)},2`)).toBe(`${hex(va)}: 0x12345678 0x00000000`);
    expect(output('x')).toBe(`${hex(va + 8)}: 0x00000000`);
    expect(output(`x/4x ${hex(va)}`).match(/0x\w{8}(?= |$)/g)).toHaveLength(4);
  });

  it.each([
    ['b', '0x78'],
    ['h', '0x5678'],
    ['l', '0x12345678'],
    ['q', '0xffffffff12345678'],
    ['d', '305419896'],
    ['qd', '-3989547400'],
    ['qu', '18446744069720004216'],
    ['qo', '0o1777777777742215053170'],
    ['ho', '0o53170'],
    ['bd', '120'],
  ])('x/%s shows %s', (format, text) => {
    parent.store32(va + 4, 0xffff_ffff);
    expect(output(`x/${format} ${hex(va)}`)).toBe(`${hex(va)}: ${text}`);
  });

  it('x/qd shows the least of numbers', () => {
    parent.store64(va, 0, 0x8000_0000);
    expect(output(`x/qd ${hex(va)}`)).toBe(`${hex(va)}: -9223372036854775808`);
  });

  it('x/s shows texts, x/c characters and x/m both', () => {
    expect(output('x/2s 0x8048000')).toBe('0x08048000: "hello, world"\n0x0804800d: "second"');
    expect(output('x/s')).toMatch(/^0x08048014: "z{1024}"\n0x08048414: no end within 1024 bytes$/);
    expect(output('x/20c 0x8048000')).toBe('0x08048000: hello, world.sec\n0x08048010: ond.');
    expect(output('x/20m 0x8048000')).toMatchInlineSnapshot(`
      "0x08048000: 68 65 6c 6c 6f 2c 20 77 6f 72 6c 64 00 73 65 63  hello, world.sec
      0x08048010: 6f 6e 64 00                                      ond."
    `);
  });

  it('x ends where memory does', () => {
    expect(output(`x ${hex(va + PAGE - 4)},4`)).toMatchInlineSnapshot(`
      "0x40010ffc: 0x00000000
      0x40011000: map 1 0x40011000->0x40014000, zeroes that nobody has touched yet"
    `);
    expect(output('x/s 0x40011000')).toMatch(/^0x40011000: .*zeroes that nobody has touched yet$/);
  });

  it('proc chooses whose memory is shown, the kernel’s as well', () => {
    parent.store32(va, 1);
    machine.processes.get(2)!.store32(va, 2);
    expect(output('proc')).toBe('process 1, map 1');
    expect(output('proc 2')).toBe('process 2, map 2');
    expect(output(`x ${hex(va)}`)).toBe(`${hex(va)}: 0x00000002`);
    expect(output('proc 0')).toBe('the kernel, map 0');
    expect(output('print 0xc0000000')).toMatch(/^0xc0000000: 0x\w{8} \(kernel, pa 0x\w{8}\)$/);
    expect(output(`print ${hex(va)}`)).toContain('not an address of map 0 or the kernel');
  });
});

describe('a line that cannot be executed is answered by one that says what was wanted and given:', () => {
  it.each([
    [
      'bogus',
      'expected show, ps, break, delete, continue, step, trace, proc, print, x or help, found "bogus"',
    ],
    ['p 1', 'expected one of ps, proc or print, found "p"'],
    [
      'show',
      'show: expected map, amap, anon, object, page, pmap, uvmexp, swap, all, breaks or events, found nothing',
    ],
    ['show all', 'show all: expected procs, found nothing'],
    ['show p 1', 'show: expected one of page or pmap, found "p"'],
    ['show map', 'show map: expected the number of a map (0, 1, 2), found nothing'],
    ['show map 9', 'show map: expected the number of a map (0, 1, 2), found "9"'],
    ['show map one', 'show map: expected the number of a map (0, 1, 2), found "one"'],
    ['show map 1 2', 'show map: expected nothing more, found "2"'],
    ['show map /q 1', 'show map: expected /f or no modifiers, found "/q"'],
    ['show anon /f 1', 'show anon: expected no modifiers, found "/f"'],
    ['show anon 99999', 'show anon: expected the number of an anon (0 to 955), found "99999"'],
    ['show object 2', 'show object: expected the number of an object (0, 1), found "2"'],
    [
      'show page -1',
      'show page: expected the index of a page (0 to 1018) or its physical address in hexadecimal, found "-1"',
    ],
    [
      'show page 0x1000',
      'show page: expected a physical address that UVM manages (0x00005000-0x00400000), found "0x1000"',
    ],
    ['show pmap 7', 'show pmap: expected the number of a pmap (0, 1, 2), found "7"'],
    [
      'show pmap 1 0x100000000',
      'show pmap: expected a virtual address of 32 bits, found "0x100000000"',
    ],
    ['show pmap 1 here', 'show pmap: expected a virtual address, found "here"'],
    ['show uvmexp now', 'show uvmexp: expected nothing more, found "now"'],
    [
      'break pmap.entre',
      'break: expected an event such as pmap.enter ("show events" lists them), found "pmap.entre"',
    ],
    [
      'break toString',
      'break: expected an event such as pmap.enter ("show events" lists them), found "toString"',
    ],
    ['break pmap.enter if va == 1', 'break: expected when, or nothing more, found "if"'],
    ['break pmap.enter when', 'break: expected FIELD OPERATOR VALUE after when, found nothing'],
    [
      'break pmap.enter when va ~ 1',
      'break: expected FIELD OPERATOR VALUE with ==, !=, <=, >=, <, > or &, found "va ~ 1"',
    ],
    [
      'break pmap.enter when page == 1',
      'break: expected a field of pmap.enter (pmap, va, pa, prot, flags), found "page"',
    ],
    ['break pmap.enter when va == here', 'break: expected a number, found "here"'],
    ['delete 3', 'delete: expected the number of a break (there is none), found "3"'],
    ['continue 0', 'continue: expected a number of turns from 1 to 1000000, found "0"'],
    ['trace 1e3', 'trace: expected a number of events from 1 to 4096, found "1e3"'],
    ['proc 77', 'proc: expected the number of a process (0, 1, 2), found "77"'],
    ['print', 'print: expected a virtual address, found nothing'],
    [
      'x/zz 0x1000',
      'x: expected a format: a count, b h l or q for 1, 2, 4 or 8 bytes, and one of x d u o c s m, found "/zz"',
    ],
    ['x 0x1000,5000', 'x: expected a number of units from 1 to 4096, found "5000"'],
    ['x/0 0x1000', 'x: expected a number of units from 1 to 4096, found "0"'],
    [
      'help me',
      'help: expected show, ps, break, delete, continue, step, trace, proc, print, x or help, found "me"',
    ],
  ])('%s', (line, answer) => {
    expect(ddb.execute(line)).toEqual([answer]);
    expect(ddb.failed).toBe(true);
    expect(ddb.execute('ps').length).toBeGreaterThan(1);
    expect(ddb.failed).toBe(false);
  });

  it('an empty line is none', () => {
    expect(ddb.execute('  ')).toEqual([]);
    expect(ddb.failed).toBe(false);
  });
});

describe('words', () => {
  it('may be cut short, with blanks to taste', () => {
    expect(output('  sh   uvm ')).toBe(output('show uvmexp'));
    expect(output('show al p')).toBe(output('ps'));
    expect(output('h show map')).toBe(
      'show map [/f] MAP\n    an address space; /f with its entries',
    );
  });

  it('help tells of every command that there is', () => {
    const text = output('help');
    for (const name of ddb.complete('')) expect(text).toMatch(new RegExp(`^${name}( |$)`, 'm'));
    for (const name of ddb.complete('show '))
      expect(text).toMatch(new RegExp(`^show ${name}( |$)`, 'm'));
  });

  it.each([
    ['s', ['show', 'step']],
    ['show', ['show']],
    ['show a', ['amap', 'anon', 'all']],
    ['sh ma', ['map']],
    ['show all ', ['procs']],
    ['show map ', ['0', '1', '2']],
    ['show map /', ['/f']],
    ['show map /f ', ['0', '1', '2']],
    ['show map 1 ', []],
    ['show amap ', ['0', '1']],
    ['show object ', ['0', '1']],
    ['show pmap ', ['0', '1', '2']],
    ['proc ', ['0', '1', '2']],
    ['break proc.s', ['proc.swapout', 'proc.swapin', 'proc.syscall', 'proc.signal']],
    ['break pmap.enter ', ['when']],
    ['break pmap.enter when p', ['pmap', 'pa', 'prot']],
    ['break pmap.enter when pa == 0 and v', ['va']],
    ['break bogus when ', []],
    ['delete ', []],
    ['help show p', ['page', 'pmap']],
    ['bogus ', []],
    ['bogus', []],
    ['x/', []],
  ])('%j goes on with %j', (prefix, words) => {
    expect(ddb.complete(prefix)).toEqual(words);
  });
});
