import { MAP_ANON, MAP_PRIVATE, MAP_SHARED, MS_SYNC, SWAP_OFF, SWAP_ON } from '@uvmkit/uvm-core';
import { O_RDWR } from '../src/open-file.ts';
import { PIOD_WRITE_D, PT_ATTACH, PT_DETACH } from '../src/ptrace.ts';
import { IPC_PRIVATE, IPC_RMID } from '../src/shm.ts';
import { SIGKILL } from '../src/signal.ts';
import { type Scenario, STAGE_PAGES, zeroes } from './failure-stage.ts';

/** Each has something go to swap and come back, since the stage has too little memory for any of them. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'anonymous memory goes to swap and comes back',
    play(s) {
      s.begin();
      const va = s.anon(s.root, 8);
      s.storeAll(s.root, va, 8, 1);
      s.squeeze();
      s.loadAll(s.root, va, 8);
      s.storeAll(s.root, va, 4, 101);
      s.squeeze();
    },
  },
  {
    name: 'parent and child write after fork',
    play(s) {
      const va = s.anon(s.root, 12)!;
      s.storeAll(s.root, va, 12, 1);
      s.begin();
      s.squeeze();
      const child = s.fork(s.root);
      s.storeAll(s.root, va, 6, 100);
      if (child === null) return;
      s.storeAll(child, va + 3 * s.page, 6, 200);
      const grandchild = s.fork(child);
      s.squeeze();
      if (grandchild !== null) s.storeAll(grandchild, va, 4, 70);
    },
  },
  {
    name: 'private pages of a file are copied',
    play(s) {
      const fd = s.root.sys.open('f', O_RDWR).value;
      s.begin();
      const va = s.mapFile(s.root, fd, 12, MAP_PRIVATE);
      s.loadAll(s.root, va, 12);
      s.storeAll(s.root, va, 6, 50);
      s.squeeze();
      s.loadAll(s.root, va, 12);
    },
  },
  {
    name: 'shared pages of a file are written and synced',
    play(s) {
      const fd = s.root.sys.open('f', O_RDWR).value;
      s.begin();
      const va = s.mapFile(s.root, fd, 12, MAP_SHARED);
      if (va === null) return;
      s.storeAll(s.root, va, 12, 60);
      s.sys(s.root.sys.msync(va, 12 * s.page, MS_SYNC));
      s.storeAll(s.root, va + 4 * s.page, 4, 90);
      s.squeeze();
      s.loadAll(s.root, va, 12);
      s.sys(s.root.sys.fsync(fd));
    },
  },
  {
    name: 'a file is read and written through windows',
    play(s) {
      const fd = s.root.sys.open('f', O_RDWR).value;
      const buffer = s.anon(s.root, 1)!;
      s.begin();
      for (let i = 0; i < 16; i += 3) s.write(s.root, fd, buffer, i, 30 + i);
      s.squeeze();
      for (let i = 0; i < 16; i++) s.read(s.root, fd, buffer, i);
      s.sys(s.root.sys.fsync(fd));
    },
  },
  {
    name: 'a file with a hole grows by mapping and by write',
    play(s) {
      s.machine.fs.create('holes', 12 * s.page);
      const fd = s.root.sys.open('holes', O_RDWR).value;
      const buffer = s.anon(s.root, 1)!;
      s.begin();
      const va = s.sys(s.root.sys.mmap(0, 12 * s.page, 3, MAP_SHARED, fd, 0));
      if (va === null) return;
      s.see(s.root, va, zeroes(12), true);
      s.loadAll(s.root, va, 6);
      s.storeAll(s.root, va + 3 * s.page, 6, 1);
      s.store(s.root, buffer, 5);
      s.sys(s.root.sys.pwrite(fd, buffer, 1, 20 * s.page));
      s.squeeze();
      s.loadAll(s.root, va, 12);
      s.root.sys.unlink('holes');
    },
  },
  {
    name: 'a shared segment is attached, swapped and removed',
    play(s) {
      const other = s.machine.spawn();
      s.begin();
      const pages = STAGE_PAGES + 20;
      const id = s.sys(s.root.sys.shmget(IPC_PRIVATE, pages * s.page, 0o666));
      if (id === null) return;
      const cells = zeroes(pages);
      const [a, b] = [s.sys(s.root.sys.shmat(id)), s.sys(other.sys.shmat(id))];
      if (a !== null) s.see(s.root, a, cells, true);
      if (b !== null) s.see(other, b, cells, true);
      s.storeAll(s.root, a, pages, 1);
      s.loadAll(other, b, 20);
      s.storeAll(other, b, 4, 100);
      s.sys(s.root.sys.shmctl(id, IPC_RMID));
    },
  },
  {
    name: 'memory is locked and unlocked',
    play(s) {
      const va = s.anon(s.root, 8)!;
      s.storeAll(s.root, va, 5, 1);
      const fd = s.root.sys.open('f', O_RDWR).value;
      const text = s.mapFile(s.root, fd, 4, MAP_PRIVATE)!;
      s.begin();
      s.squeeze();
      s.sys(s.root.sys.mlock(va, 8 * s.page));
      s.sys(s.root.sys.mlock(text, 4 * s.page));
      s.storeAll(s.root, va, 8, 20);
      const child = s.fork(s.root);
      if (child !== null) s.store(child, va, 99);
      s.sys(s.root.sys.munlock(va, 8 * s.page));
      s.squeeze();
    },
  },
  {
    name: 'a file is cut short and grows under its mapping',
    play(s) {
      const fd = s.root.sys.open('f', O_RDWR).value;
      const buffer = s.anon(s.root, 1)!;
      const va = s.mapFile(s.root, fd, 16, MAP_SHARED)!;
      s.begin();
      s.storeAll(s.root, va, 16, 10);
      s.cut(s.root, fd, 4);
      s.write(s.root, fd, buffer, 15, 3);
      s.squeeze();
      s.loadAll(s.root, va, 16);
      s.cut(s.root, fd, 8);
      s.sys(s.root.sys.ftruncate(fd, 16 * s.page));
    },
  },
  {
    name: 'a swap device goes and comes back',
    play(s) {
      s.machine.addPartition('/dev/sd2b', s.machine.addDisk({ size: 2 << 20 }));
      const va = s.anon(s.root, 20)!;
      s.storeAll(s.root, va, 20, 1);
      s.root.sys.kill(s.squeeze().pid, SIGKILL);
      s.begin();
      s.sys(s.root.sys.swapctl(SWAP_ON, '/dev/sd2b', 1));
      s.sys(s.root.sys.swapctl(SWAP_OFF, '/dev/sd1b'));
      s.squeeze();
      s.root.sys.swapctl(SWAP_ON, '/dev/sd1b');
    },
  },
  {
    name: 'a tracer writes to another process',
    play(s) {
      const target = s.machine.spawn();
      const fd = target.sys.open('f', O_RDWR).value;
      const text = s.mapFile(target, fd, 6, MAP_PRIVATE)!;
      target.sys.mprotect(text, 6 * s.page, 5);
      const buffer = s.anon(s.root, 6)!;
      s.storeAll(s.root, buffer, 6, 40);
      s.sys(s.root.sys.ptrace(PT_ATTACH, target.pid));
      s.root.sys.wait4(target.pid);
      s.begin();
      s.squeeze();
      const request = { op: PIOD_WRITE_D, offset: text, addr: buffer, length: 6 * s.page };
      const written = s.sys(s.root.sys.ptraceIo(target.pid, request));
      if (written === 6 * s.page)
        for (let i = 0; i < 6; i++) s.see(target, text + i * s.page, [{ values: [40 + i] }]);
      else s.forget(target, text, 6);
      s.sys(s.root.sys.ptrace(PT_DETACH, target.pid));
      s.squeeze();
    },
  },
  {
    name: 'exec lays out a new image',
    play(s) {
      const process = s.machine.spawn();
      const base = Math.ceil((s.machine.md.port.layout.userMin + 1) / (1 << 20)) * (1 << 20);
      const old = s.anon(process, 10)!;
      s.storeAll(process, old, 10, 7);
      s.begin();
      s.squeeze();
      s.forget(process, old, 10);
      const segments = [
        { va: base, length: 4 * s.page, prot: 5, file: s.file, offset: 0 },
        { va: base + 4 * s.page, length: 4 * s.page, prot: 3, file: s.file, offset: 4 * s.page },
      ];
      if (s.sys(process.sys.exec({ segments })) === null) return;
      s.see(process, base, s.fileCells(0, 8, false));
      s.loadAll(process, base, 8);
      s.storeAll(process, base + 4 * s.page, 4, 30);
      s.squeeze();
    },
  },
  {
    name: 'pages are lent to a socket and read',
    play(s) {
      const va = s.anon(s.root, 8)!;
      // A page at a time: no more of the largest ones fits a socket.
      const { value: left, second: right } = s.root.sys.socketpair();
      s.storeAll(s.root, va, 4, 1);
      s.begin();
      s.squeeze();
      const sent = s.sys(s.root.sys.write(left, va, s.page));
      s.storeAll(s.root, va, 2, 50);
      const into = va + 4 * s.page;
      const got = sent === null ? null : s.sys(s.root.sys.read(right, into, sent));
      if (got === s.page) s.see(s.root, into, [{ values: [1] }]);
      else s.forget(s.root, into, 1);
      s.root.sys.close(left);
      s.root.sys.close(right);
      s.squeeze();
    },
  },
  {
    name: 'a raw device is written from memory and read into it',
    play(s) {
      s.machine.addPartition('/dev/sd3c', s.machine.addDisk({ size: 1 << 20 }));
      const fd = s.root.sys.open('/dev/rsd3c', O_RDWR).value;
      const va = s.anon(s.root, 8)!;
      s.storeAll(s.root, va, 4, 9);
      s.begin();
      s.squeeze();
      const put = s.sys(s.root.sys.pwrite(fd, va, 4 * s.page, 0));
      const into = va + 4 * s.page;
      const got = put === null ? null : s.sys(s.root.sys.pread(fd, into, put, 0));
      if (got === 4 * s.page)
        for (let i = 0; i < 4; i++) s.see(s.root, into + i * s.page, [{ values: [9 + i] }]);
      else s.forget(s.root, into, 4);
    },
  },
  {
    name: 'shared memory is given up by one and kept by another',
    play(s) {
      const va = s.anon(s.root, 10, MAP_ANON | MAP_SHARED)!;
      s.begin();
      s.storeAll(s.root, va, 5, 1);
      const child = s.fork(s.root);
      s.storeAll(s.root, va + 5 * s.page, 5, 6);
      s.squeeze();
      s.forget(s.root, va, 10);
      s.sys(s.root.sys.munmap(va, 10 * s.page));
      if (child !== null) s.loadAll(child, va, 10);
    },
  },
  {
    name: 'the heap grows and shrinks',
    play(s) {
      const process = s.machine.spawn();
      const start = process.space.dataAddress;
      const pages = STAGE_PAGES + 10;
      s.begin();
      if (s.sys(process.sys.brk(start + pages * s.page)) === null) return;
      s.see(process, start, zeroes(pages));
      s.storeAll(process, start, pages, 1);
      s.forget(process, start + 20 * s.page, pages - 20);
      s.sys(process.sys.brk(start + 20 * s.page));
      s.squeeze();
    },
  },
];
