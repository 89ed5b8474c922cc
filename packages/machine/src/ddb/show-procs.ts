import { hex } from '@uvmkit/pmap';
import { asVnode, CHANNEL_LBOLT, CHANNEL_MEMORY, type WaitChannel } from '@uvmkit/uvm-core';
import type { Machine } from '../machine.ts';
import type { Process } from '../process.ts';
import type { Command } from './command.ts';
import type { Session } from './session.ts';
import { table } from './table.ts';

const SUMMARY = 'the processes, with their maps, and who sleeps on what';

export const showAllProcs: Command = {
  name: 'show all procs',
  usage: '',
  summary: SUMMARY,
  run(session, args) {
    args.end();
    return procLines(session);
  },
};

export const ps: Command = { ...showAllProcs, name: 'ps' };

function procLines({ machine, uvm }: Session): string[] {
  const { kernelMap } = uvm;
  const kernel = [0, '-', 'system', '-', 0, kernelMap.id, kernelMap.pmap];
  const rows = [...machine.processes.values()].map((process) => {
    const { map } = process.space;
    return [
      process.pid,
      process.parent?.pid ?? '-',
      stateOf(process),
      process.state === 'running' ? process.cpu.number : '-',
      process.threads.size,
      map.id,
      map.pmap,
      uvm.pmap.residentCount(map.pmap),
      hex(map.size, 1),
      process.space.refs,
      process.uarea === null ? '-' : hex(process.uarea.va, 1),
    ];
  });
  return [
    ...table(
      ['PID', 'PPID', 'STATE', 'CPU', 'THREADS', 'MAP', 'PMAP', 'RSS', 'SIZE', 'SHARERS', 'UAREA'],
      [
        [...kernel, uvm.pmap.residentCount(kernelMap.pmap), hex(kernelMap.size, 1), 1, '-'],
        ...rows,
      ],
    ),
    `${machine.scheduler.runnable} runnable at ${machine.now} ns`,
    ...[...machine.scheduler.channels()].map(
      ([channel, sleepers]) => `${sleepers} asleep on ${channelName(machine, channel)}`,
    ),
  ];
}

function stateOf(process: Process): string {
  if (process.state !== 'running') return process.state;
  if (process.exiting) return 'exiting';
  if (process.swappedOut) return 'swapped';
  if (process.stopSignal !== 0) return 'stopped';
  return process.cpu.space === process.space ? 'oncpu' : 'running';
}

/** What a channel stands for. */
function channelName(machine: Machine, channel: WaitChannel): string {
  if (channel >= 0) return `page ${channel}`;
  if (channel === CHANNEL_MEMORY) return 'free memory';
  if (channel === CHANNEL_LBOLT) return 'lbolt';
  for (const map of machine.uvm.maps)
    if (map.channel === channel) return `the lock of map ${map.id}`;
  for (const process of machine.processes.values())
    if (process.channel === channel) return `children or threads of process ${process.pid}`;
  for (const object of machine.uvm.objects)
    if (asVnode(object)?.outputChannel === channel) return `writes of object ${object.id}`;
  return `channel ${channel}`;
}
