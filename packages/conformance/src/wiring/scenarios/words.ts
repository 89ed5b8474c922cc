import { type Prot, VM_PROT_EXECUTE, VM_PROT_READ, VM_PROT_WRITE } from '@uvmkit/pmap';
import { type ExpectedOn, panics } from '../scenario.ts';

/* What every scenario is written with. */

export const RW: Prot = VM_PROT_READ | VM_PROT_WRITE;
export const RX: Prot = VM_PROT_READ | VM_PROT_EXECUTE;
export const RWX: Prot = RW | VM_PROT_EXECUTE;

/** Every byte of the file before anything happens, and of the word that is written. */
export const F = 0x66;
export const W = 0x77;
/** The word of which every byte is {@link W}. */
export const WORD = 0x77777777;

/** The MMUs whose pmap leaves a wired mapping alone when its page is taken from everybody. */
export const KEEPS: readonly string[] = ['alpha'];
export const KEEPS_SOURCE = 'pmap-alpha §C.2: page_protect(NONE) leaves wired mappings in place';

const UNWIRING = 'uvm_fault_unwire_locked: unwiring non-wired memory';
const UNDERFLOW = 'uvm_pageunwire: wire count underflow';

/** The unwiring finds that a mapping has gone. */
export function gone(because: string): ExpectedOn {
  return panics(UNWIRING, because);
}

/** The unwiring finds a page that nobody wired. 2001 did not look, and the count wrapped around. */
export function underflows(because: string): ExpectedOn {
  return panics(UNDERFLOW, `${because}; 2001 did not look, §7.3 does`);
}

export const MATRIX = '§13.5';
export const TRANSFER = '§13.3: the lock is carried over to the page that takes the place';
export const NOTHING_WIRED = '§13.4: no mapping is wired, so none can be lost';
