import type { Port } from '@uvmkit/pmap';
import { Machine } from '@uvmkit/machine';
import { MAP_ANON, MAP_PRIVATE, MAP_SHARED } from '@uvmkit/uvm-core';

/**
 * A small machine to look around in, with something of each kind: text and data of a file, private memory that a fork
 * made copy-on-write, shared memory, a locked page, a child, and threads of both that are about to run.
 */
export function demoMachine(port: Port): Machine {
  const machine = new Machine({ port, memory: 16 << 20 });
  const { pageSize, userMin } = port.layout;
  const text = Math.ceil((userMin + 0x1_0000) / 0x1_0000) * 0x1_0000;
  const greeting = new TextEncoder().encode('hello from the text of the program\0');
  const program = new Uint8Array(3 * pageSize);
  program.set(greeting);
  const file = machine.fs.create('demo', program);
  const data = text + 2 * pageSize;
  const parent = machine.spawn({
    segments: [
      { va: text, length: 2 * pageSize, prot: 5, file },
      { va: data, length: pageSize, prot: 3, file, offset: 2 * pageSize },
    ],
    dataStart: data + pageSize,
  });
  const { value: own } = parent.sys.mmap(0, 4 * pageSize, 3, MAP_ANON | MAP_PRIVATE);
  const { value: shared } = parent.sys.mmap(0, 2 * pageSize, 3, MAP_ANON | MAP_SHARED);
  parent.fetch8(text);
  for (let page = 0; page < 3; page++) parent.store32(own + page * pageSize, 0x1000 + page);
  parent.store32(shared, 1);
  parent.sys.mlock(shared, pageSize);
  const child = machine.processes.get(parent.sys.fork().value)!;
  machine.start(parent, function* (thread) {
    for (let page = 0; page < 4; page++) yield* thread.store32(own + page * pageSize, page);
    yield* thread.store32(data, 1);
  });
  machine.start(child, function* (thread) {
    yield* thread.load32(own);
    yield* thread.store32(own + pageSize, 0x2000);
    yield* thread.store32(shared, 2);
    yield* thread.exit(0);
  });
  return machine;
}
