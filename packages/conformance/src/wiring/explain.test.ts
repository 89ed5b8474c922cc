import { alpha } from '@uvmkit/pmap-alpha';
import { i386 } from '@uvmkit/pmap-i386';
import { ibm4xx, oea } from '@uvmkit/pmap-powerpc';
import { srmmu, sun4c } from '@uvmkit/pmap-sparc';
import { type WiringPolicy, wiremaxPolicy, wirePolicy } from '@uvmkit/uvm-core';
import { describe, expect, it } from 'vitest';
import { explainScenario, type Line, scenarios } from './index.ts';

const ports = [i386(), alpha(), sun4c(), srmmu(), oea(), ibm4xx()];

function story(id: string, policy: WiringPolicy, port: (typeof ports)[number]): readonly Line[] {
  const scenario = scenarios.find((each) => each.id === id)!;
  return explainScenario(scenario, policy, port).lines;
}

/** That these are told, in this order, whatever is told between them. */
function expectInOrder(lines: readonly Line[], wanted: readonly (string | RegExp)[]): void {
  let at = 0;
  for (const part of wanted) {
    const found = lines.findIndex(
      ({ text }, i) =>
        i >= at && (typeof part === 'string' ? text.includes(part) : part.test(text)),
    );
    const rest = lines.slice(at).map(({ text }) => text);
    expect({ part: String(part), found: found >= 0, rest }).toEqual({
      part: String(part),
      found: true,
      rest,
    });
    at = found + 1;
  }
}

describe('a story', () => {
  it('tells how a lock is lost to a stranger, with the entries that are written, up to the panic', () => {
    const lines = story('ptrace-private', wirePolicy, i386());
    expect(lines.some(({ text }) => text.includes('keeps its mapping'))).toBe(false);
    // What the kernel does for a process that enters is no part of it.
    expect(lines[0]!.kind).toBe('step');
    expectInOrder(lines, [
      /^1\. locker maps the library/,
      'uvm_fault: locker at 0x40010000, r-x, simulated',
      /pmap_enter: locker maps 0x40010000 to page 0x\w+ \(library, page 0\), r-x, wired/,
      /locker's entry for 0x40010000: PTE 0x\w+ V u W PVLIST/,
      'mlock(2) by locker answers ok',
      /^2\. other maps the library/,
      'uvm_fault: other at 0x40010000, a load',
      /^3\. tracer writes a word/,
      'uvm_fault: the kernel at ',
      /pmap_page_protect\(NONE\): page 0x\w+ \(library, page 0\) is taken from every pmap/,
      /locker loses its mapping of 0x40010000, which was wired \(it was: PTE 0x\w+ V u W/,
      /promotion: .* a copy, page 0x\w+ \(private\), takes the place of page 0x\w+ \(library, page 0\)/,
      /^4\. locker unlocks/,
      'UVM unwires [0x40010000, 0x40011000) of locker',
      'panic: uvm_fault_unwire_locked: unwiring non-wired memory',
    ]);
  });

  it('tells who keeps a wired mapping of a page that is taken from everybody, and what is read there', () => {
    const lines = story('ptrace-own-touch', wirePolicy, alpha());
    expectInOrder(lines, [
      'is taken from every pmap',
      'locker keeps its mapping of 0x40010000: it is wired',
      'promotion: ',
      'locker reads: 0x66, where 0x77 is right',
    ]);
    expect(lines.some(({ text }) => text.startsWith('panic'))).toBe(false);
  });

  it('tells of the copy that the commit has made when the page is locked', () => {
    expectInOrder(story('ptrace-private', wiremaxPolicy, oea()), [
      'VM_FAULT_WIREMAX: at the maximum protection',
      /promotion: at 0x40010000 of locker a copy/,
      /pmap_enter: locker maps 0x40010000 to page 0x\w+ \(private\), r-x, wired/,
      /^3\. tracer/,
      'munlock(2) by locker answers ok',
      'locker reads: 0x66',
    ]);
  });

  it('tells of the other CPU, and of a disk at work', () => {
    expectInOrder(story('cpus', wirePolicy, i386()), [
      /locker loses its mapping of .* wired/,
      /CPU 0 has CPU 1 drop what its TLB holds of 0x40010000/,
      'the MMU of CPU 1 has no translation of 0x40010000',
    ]);
    expectInOrder(story('vslock', wiremaxPolicy, srmmu()), [
      'disk 1 begins to write 4096 bytes',
      /writer loses its mapping of .*, which was wired/,
      'disk 1 has done it',
      'panic: ',
    ]);
  });

  it.each(ports)('is told on $name, and changes nothing of what becomes of it', (port) => {
    for (const scenario of scenarios) {
      const { cell, lines } = explainScenario(scenario, wirePolicy, port);
      expect(cell.ok, scenario.id).toBe(true);
      expect(lines.map(({ text }) => text).join('\n'), scenario.id).not.toMatch(
        /undefined|NaN|null/,
      );
    }
  });
});
