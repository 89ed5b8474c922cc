import Table from 'cli-table3';

/** The parts of a table's frame, all of them nothing, so that it reads as well in a log. */
const FRAME = ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left'];
const INSIDE = ['bottom-right', 'left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'];
const BARE: Partial<Record<Table.CharName, string>> = {
  ...Object.fromEntries([...FRAME, ...INSIDE].map((part) => [part, ''])),
  middle: '  ',
};

/** A table without lines, two blanks between its columns. */
export function bareTable(options: Table.TableConstructorOptions = {}): Table.Table {
  return new Table({
    chars: BARE,
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
    ...options,
  });
}

/** A table's text, without blanks at the ends of its lines. */
export function tableText(table: Table.Table): string {
  return table.toString().replaceAll(/ +$/gm, '');
}
