import type { Uvm } from '@uvmkit/uvm-core';
import type { Command } from './command.ts';
import { flag } from './names.ts';
import { table } from './table.ts';

/** A swap device, as far as it is shown (`struct swapdev`). */
interface SwapDeviceView {
  readonly backend: { readonly name: string };
  readonly drumOffset: number;
  readonly npages: number;
  readonly npginuse: number;
  readonly npgbad: number;
  readonly priority: number;
  readonly enabled: boolean;
}

/** A UVM that may have swap space, by priority. */
type MaySwap = Uvm & { readonly swap?: { readonly devices: readonly SwapDeviceView[] } };

/** What swapctl -l tells, with the range of slots. */
export const showSwap: Command = {
  name: 'show swap',
  usage: '',
  summary: 'the swap devices, in the order in which they are used',
  run({ uvm }, args) {
    args.end();
    const { swap }: MaySwap = uvm;
    const devices = swap?.devices ?? [];
    if (devices.length === 0) return ['no swap configured'];
    return [
      ...table(
        ['DEVICE', 'SLOTS', 'PAGES', 'INUSE', 'BAD', 'PRIORITY', 'ENABLED'],
        devices.map((device) => [
          device.backend.name,
          `${device.drumOffset}-${device.drumOffset + device.npages - 1}`,
          device.npages,
          device.npginuse,
          device.npgbad,
          device.priority,
          flag(device.enabled),
        ]),
      ),
      `swpages=${uvm.exp.swpages}, swpginuse=${uvm.exp.swpginuse}, swpgonly=${uvm.exp.swpgonly}`,
    ];
  },
};
