import {
  CHANNEL_MEMORY,
  type CheckOptions,
  checkUvm,
  INVARIANTS,
  Pdaemon,
  PG_BUSY,
  type Report,
  type UvmObject,
  VM_MAP_BUSY,
  type Vmspace,
  type Violation,
} from '@uvmkit/uvm-core';
import { FileVnode } from './file.ts';
import type { Machine } from './machine.ts';
import type { OpenFile } from './open-file.ts';
import type { Process } from './process.ts';

/**
 * What {@link checkMachine} asserts: the invariants of UVM by the numbers of the behaviour reference (§14), and from 51 on what a
 * machine keeps beside.
 *
 * 42 (a store leaves its mark until the page is cleaned) is asserted by what breaking it leads to: a clean page that
 * differs from its backing store (44). 45 speaks of simple locks, of which there are none, since nothing runs in the middle of
 * anything: what is held across a sleep here are busy pages and maps, and those must have somebody who will let them go.
 */
export const MACHINE_INVARIANTS: Readonly<Record<number, string>> = {
  ...INVARIANTS,
  45: 'what is busy or locked is in the hands of somebody who sleeps, or of a transfer',
  46: 'no process has more locked than it was ever allowed to lock',
  51: 'a CPU has the space of a process loaded that is in memory, or none',
  52: "a space's references are the processes that use it, and every map is some process's",
  53: 'a process that runs has a u-area, wired unless it is swapped out; the dead have none',
};

/** What {@link checkMachine} can be told beside: see `CheckOptions`. */
export type MachineCheckOptions = Pick<CheckOptions, 'oracle' | 'probe' | 'timestamps'>;

/**
 * Checks every invariant that a machine must keep whenever none of its threads is running: between plain calls, and between
 * turns of the clock. What disks and files hold is compared with memory. Once nobody is in the kernel any more, nothing may be
 * held; and once there is no process, nothing of any process may be left (48).
 *
 * @returns what does not hold; empty if all is well
 */
export function checkMachine(machine: Machine, options: MachineCheckOptions = {}): Violation[] {
  const { uvm } = machine;
  const quiet = isQuiet(machine);
  const alive = [...machine.processes.values()].filter(
    ({ space }) => space !== machine.kernelSpace,
  );
  const violations = checkUvm(uvm, {
    ...options,
    image: (object, index) => fileImage(machine, object, index),
    swapImage: (slot) => swapImage(machine, slot),
    memoryWaiters: sleepersOn(machine, CHANNEL_MEMORY),
    idle: quiet && alive.length === 0 && machine.shm.count === 0,
  });
  const report: Report = (invariant, here, there) => {
    violations.push({ invariant, name: MACHINE_INVARIANTS[invariant]!, here, there });
  };
  if (quiet) checkHeld(machine, report);
  checkLimits(machine, alive, report);
  checkCpus(machine, alive, report);
  checkSpaces(machine, alive, quiet, report);
  checkUareas(machine, report);
  if (quiet) checkUseCounts(machine, report);
  return violations;
}

/** Whether nobody runs or is on the way through the kernel: nobody sleeps but the daemon, and nothing is to happen. */
function isQuiet({ scheduler, clock, uvm }: Machine): boolean {
  if (scheduler.runnable > 0 || clock.pending > 0) return false;
  const daemon = uvm.daemon instanceof Pdaemon ? uvm.daemon.channel : null;
  for (const [channel] of scheduler.channels()) if (channel !== daemon) return false;
  return true;
}

function sleepersOn(machine: Machine, wanted: number): number {
  for (const [channel, sleepers] of machine.scheduler.channels())
    if (channel === wanted) return sleepers;
  return 0;
}

/** What the disk holds of a page of a file, as far as the file goes. */
function fileImage({ uvm }: Machine, object: UvmObject, index: number): Uint8Array | null {
  if (!(object instanceof FileVnode)) return null;
  const offset = index * uvm.pageSize;
  const length = Math.max(0, Math.min(uvm.pageSize, object.size - offset));
  return object.file.backing.image(offset, length);
}

/** What a swap device holds in a slot. */
function swapImage(machine: Machine, slot: number): Uint8Array | null {
  const { uvm, swapBackends, swapFiles, partitions } = machine;
  const device = uvm.swap.find(slot);
  if (device === undefined) return null;
  const at = (slot - device.drumOffset + 1) * uvm.pageSize;
  for (const [path, backend] of swapBackends) {
    if (backend !== device.backend) continue;
    const partition = partitions.get(path);
    if (partition === undefined) return swapFiles.get(path)?.onDisk(at, uvm.pageSize) ?? null;
    const bytes = new Uint8Array(uvm.pageSize);
    partition.disk.peek(partition.start + at, bytes);
    return bytes;
  }
  return null;
}

/** 45. */
function checkHeld({ uvm }: Machine, report: Report): void {
  const { pages } = uvm;
  for (let page = 0; page < pages.pageCount; page++)
    if ((pages.flags[page]! & PG_BUSY) !== 0)
      report(45, `page ${page} is busy`, 'nobody sleeps, and no transfer is under way');
  for (const map of uvm.maps)
    if (map.exclusive || (map.flags & VM_MAP_BUSY) !== 0)
      report(45, `map ${map.id} is locked`, 'nobody sleeps');
}

/** 46, of processes whose memory no transfer has wired at the moment. */
function checkLimits({ uvm }: Machine, alive: readonly Process[], report: Report): void {
  for (const { pid, space, mostLocked } of alive) {
    if (space.map.vslocks.length > 0) continue;
    const locked = uvm.wiring.lockedPages(uvm, space.map) * uvm.pageSize;
    if (locked > mostLocked)
      report(46, `process ${pid} has locked ${locked} bytes`, `it was allowed ${mostLocked}`);
  }
}

/** 51. */
function checkCpus({ cpus }: Machine, alive: readonly Process[], report: Report): void {
  for (const { number, space } of cpus) {
    if (space === null) continue;
    const users = alive.filter((process) => process.space === space);
    const here = `CPU ${number} has map ${space.map.id} loaded`;
    if (users.length === 0) report(51, here, 'no process uses it');
    else if (users.every(({ swappedOut }) => swappedOut))
      report(51, here, `process ${users[0]!.pid} is swapped out`);
  }
}

/** 52. */
function checkSpaces(
  { uvm }: Machine,
  alive: readonly Process[],
  quiet: boolean,
  report: Report,
): void {
  const users = new Map<Vmspace, number>();
  for (const { space } of alive) users.set(space, (users.get(space) ?? 0) + 1);
  for (const [space, count] of users) {
    const { map, refs } = space;
    // A process that is on its way out has let go already of what others still use.
    if (refs < count || (quiet && refs !== count))
      report(52, `map ${map.id} has ${refs} references`, `${count} processes use it`);
    if (!uvm.maps.has(map)) report(52, `${count} processes use map ${map.id}`, 'there is none');
  }
  if (!quiet) return;
  const used = new Set([...users.keys()].map(({ map }) => map));
  for (const map of uvm.maps)
    if (map.pmap !== uvm.kernelMap.pmap && !used.has(map))
      report(52, `there is a map ${map.id}`, 'no process uses it');
}

/** 53. */
function checkUareas({ processes }: Machine, report: Report): void {
  for (const { pid, state, uarea, swappedOut } of processes.values()) {
    if (state !== 'running') {
      if (uarea !== null) report(53, `process ${pid} is a ${state}`, 'it has a u-area');
    } else if (uarea !== null && uarea.inMemory === swappedOut)
      report(
        53,
        `process ${pid} is ${swappedOut ? 'swapped out' : 'in memory'}`,
        `its u-area is ${swappedOut ? '' : 'not '}wired`,
      );
    else if (uarea === null) report(53, `process ${pid} runs`, 'it has no u-area');
  }
}

/** 22, to the letter: the use count of a file is the descriptions and map entries that refer to it, and swap. */
function checkUseCounts(machine: Machine, report: Report): void {
  const { uvm, processes } = machine;
  const uses = new Map<UvmObject, number>();
  const use = (object: UvmObject | undefined): void => {
    if (object !== undefined) uses.set(object, (uses.get(object) ?? 0) + 1);
  };
  const open = new Set<OpenFile>();
  for (const { descriptors } of processes.values())
    for (const file of descriptors.openFiles()) open.add(file);
  for (const { file } of open) use(file?.vnode);
  for (const map of uvm.maps) for (const { object } of map.entries()) use(object ?? undefined);
  for (const file of machine.swapFiles.values()) use(file.vnode);
  for (const object of uvm.objects) {
    if (!(object instanceof FileVnode)) continue;
    const counted = uses.get(object) ?? 0;
    if (object.refs !== counted)
      report(22, `file ${object.file.name} has ${object.refs} references`, `${counted} are known`);
  }
}
