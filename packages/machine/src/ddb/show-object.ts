import { hex } from '@uvmkit/pmap';
import { asVnode, LIST_END, type Uvm, type UvmObject, type Vnode } from '@uvmkit/uvm-core';
import type { Command } from './command.ts';
import { findObject } from './find.ts';
import { flag } from './names.ts';

/** Pages on a line. */
const COLUMNS = 4;

/** uvm_object_printit (uvm_map.c), with what the vnode adds. */
export const showObject: Command = {
  name: 'show object',
  usage: '[/f] OBJECT',
  summary: 'a memory object; /f with its resident pages',
  modifiers: 'f',
  run(session, args) {
    const object = findObject(session, args);
    args.end();
    const vnode = asVnode(object);
    const refs = object.refs < 0 ? '<SYSTEM>' : object.refs;
    return [
      `OBJECT ${object.id}: pgops=${object.pgops.name}, npages=${object.npages}, refs=${refs}`,
      ...(vnode === null ? [] : [vnodeLine(vnode)]),
      ...(args.modifiers === 'f' ? pageLines(session.uvm, object) : []),
    ];
  },
  complete: ({ uvm }, before) =>
    before.length === 0 ? uvm.objects.map(({ id }) => String(id)) : [],
};

function vnodeLine(vnode: Vnode): string {
  const { ops } = vnode;
  const name = 'name' in ops && typeof ops.name === 'string' ? `"${ops.name}", ` : '';
  return `  VNODE ${name}size=${hex(vnode.size, 1)}, text=${flag(vnode.text)}, numoutput=${vnode.numoutput}`;
}

/** The resident pages, by offset. */
function pageLines(uvm: Uvm, object: UvmObject): string[] {
  const { pages, pageSize } = uvm;
  const found: number[] = [];
  for (let page = object.memq; page !== LIST_END; page = pages.nextInObject(page)) found.push(page);
  const texts = found
    .toSorted((a, b) => pages.offset[a]! - pages.offset[b]!)
    .map((page) => `<${page},${hex(pages.offset[page]! * pageSize, 1)}>`);
  const lines = ['  PAGES <pg,offset>:'];
  for (let at = 0; at < texts.length; at += COLUMNS)
    lines.push(`  ${texts.slice(at, at + COLUMNS).join(' ')}`);
  return lines;
}
