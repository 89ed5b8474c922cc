import { hex } from '@uvmkit/pmap';
import type { Command } from './command.ts';

/** A counter, with the name it is printed under where that is another. */
type Field = string | readonly [counter: string, label: string];

interface Group {
  readonly title: string;
  readonly lines: readonly (readonly Field[])[];
}

/** The order and the names of uvmexp_print (uvm_stat.c). Counters that this UVM lacks are left out. */
const GROUPS: readonly Group[] = [
  {
    title: 'Current UVM status:',
    lines: [
      ['pagesize', 'pagemask', 'pageshift', 'ncolors', 'colormask'],
      [['npages', 'VM pages'], 'active', 'inactive', 'wired', 'free'],
      [
        ['anonpages', 'anon'],
        ['filepages', 'file'],
        ['execpages', 'exec'],
      ],
      [
        ['anonmin', 'min anon'],
        ['filemin', 'file'],
        ['execmin', 'exec'],
      ],
      [
        ['anonmax', 'max anon'],
        ['filemax', 'file'],
        ['execmax', 'exec'],
      ],
      [
        'freemin',
        ['freetarg', 'free-target'],
        ['inactarg', 'inactive-target'],
        ['wiredmax', 'wired-max'],
      ],
      ['reserve_pagedaemon', 'reserve_kernel', 'zeropages'],
      ['faults', 'traps', 'syscalls', 'swapins', 'swapouts'],
      ['pageins', 'pgswapin', 'pgswapout'],
      ['forks', 'forks_ppwait', 'forks_sharevm'],
      ['pga_zerohit', 'pga_zeromiss', 'zeroaborts', 'colorhit', 'colormiss'],
    ],
  },
  {
    title: 'fault counts:',
    lines: [
      [
        ['fltnoram', 'noram'],
        ['fltnoanon', 'noanon'],
        ['fltpgwait', 'pgwait'],
        ['fltpgrele', 'pgrele'],
      ],
      [
        ['fltrelckok', 'ok relocks'],
        ['fltrelck', 'total'],
        ['fltanget', 'anget'],
        ['fltanretry', 'retrys'],
        ['fltamcopy', 'amapcopy'],
      ],
      [
        ['fltnamap', 'neighbor anon'],
        ['fltnomap', 'obj pg'],
        ['fltlget', 'gets(lock)'],
        ['fltget', 'gets(unlock)'],
      ],
      [
        ['flt_anon', 'cases: anon'],
        ['flt_acow', 'anoncow'],
        ['flt_obj', 'obj'],
        ['flt_prcopy', 'prcopy'],
        ['flt_przero', 'przero'],
      ],
    ],
  },
  {
    title: 'daemon and swap counts:',
    lines: [
      [
        ['pdwoke', 'woke'],
        ['pdrevs', 'revs'],
        ['pdscans', 'scans'],
        ['pdobscan', 'obscans'],
        ['pdanscan', 'anscans'],
      ],
      [
        ['pdbusy', 'busy'],
        ['pdfreed', 'freed'],
        ['pdreact', 'reactivate'],
        ['pddeact', 'deactivate'],
      ],
      [['pdpageouts', 'pageouts'], ['pdpending', 'pending'], 'nswget'],
      ['nswapdev', 'nanon', 'nanonneeded', 'nfreeanon'],
      ['swpages', 'swpginuse', 'swpgonly', 'paging'],
    ],
  },
];

/** Counters that are addresses or masks. */
const HEX: ReadonlySet<string> = new Set(['pagesize', 'pagemask', 'colormask']);

export const showUvmexp: Command = {
  name: 'show uvmexp',
  usage: '',
  summary: 'the counters and targets of UVM',
  run({ uvm }, args) {
    args.end();
    const left = new Map<string, number>(
      Object.entries(uvm.exp).filter(
        (entry): entry is [string, number] => typeof entry[1] === 'number',
      ),
    );
    const take = (field: Field): string[] => {
      const [counter, label] = typeof field === 'string' ? [field, field] : field;
      const value = left.get(counter);
      if (value === undefined) return [];
      left.delete(counter);
      return [`${label}=${HEX.has(counter) ? hex(value, 1) : value}`];
    };
    const lines: string[] = [];
    for (const { title, lines: rows } of GROUPS) {
      lines.push(lines.length === 0 ? title : `  ${title}`);
      const indent = lines.length === 1 ? '  ' : '    ';
      for (const row of rows) {
        const texts = row.flatMap(take);
        if (texts.length > 0) lines.push(indent + texts.join(', '));
      }
    }
    // What was counted after this table was written.
    if (left.size > 0)
      lines.push('  other counts:', `    ${[...left.keys()].flatMap(take).join(', ')}`);
    return lines;
  },
};
