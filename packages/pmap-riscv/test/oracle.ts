// The rules of 4.3.1 and of the sstatus fields (4.1.1.2) as tables, cell by cell: nothing here is computed as the MMU
// computes it.

/** R, W and X of a leaf, by those letters, and what they let through. */
const RIGHTS: Readonly<Record<string, string>> = {
  'r--': 'load',
  'rw-': 'load store',
  '--x': 'fetch',
  'r-x': 'load fetch',
  rwx: 'load store fetch',
};
/** The same with MXR. */
const RIGHTS_MXR: Readonly<Record<string, string>> = {
  'r--': 'load',
  'rw-': 'load store',
  '--x': 'load fetch',
  'r-x': 'load fetch',
  rwx: 'load store fetch',
};
/** What the mode lets through of that: mode, whose page, SUM. */
const MODES: Readonly<Record<string, string>> = {
  'user user 0': 'load store fetch',
  'user user 1': 'load store fetch',
  'user supervisor 0': '',
  'user supervisor 1': '',
  'supervisor user 0': '',
  'supervisor user 1': 'load store',
  'supervisor supervisor 0': 'load store fetch',
  'supervisor supervisor 1': 'load store fetch',
};
/** What A and D let through without being set: A, D. */
const USED: Readonly<Record<string, string>> = {
  '0 0': '',
  '0 1': '',
  '1 0': 'load fetch',
  '1 1': 'load store fetch',
};

export type Kind = 'load' | 'store' | 'fetch';
export const CAUSE: Readonly<Record<Kind, number>> = { load: 13, store: 15, fetch: 12 };

export interface State {
  readonly user: boolean;
  readonly sum: boolean;
  readonly mxr: boolean;
}

/** Whether a leaf of level 0 with these low bits lets the access through once A and D are seen to, and as it stands. */
export function judge(flags: number, kind: Kind, state: State): { later: boolean; now: boolean } {
  const letter = (bit: number, name: string): string => ((flags & bit) === 0 ? '-' : name);
  const rights = letter(0x02, 'r') + letter(0x04, 'w') + letter(0x08, 'x');
  const allowed = (state.mxr ? RIGHTS_MXR : RIGHTS)[rights];
  // Not valid; a pointer, which level 0 cannot have; or a reserved encoding.
  if ((flags & 0x01) === 0 || allowed === undefined) return { later: false, now: false };
  const whose = (flags & 0x10) === 0 ? 'supervisor' : 'user';
  const mode = MODES[`${state.user ? 'user' : 'supervisor'} ${whose} ${state.sum ? 1 : 0}`]!;
  const used = USED[`${(flags & 0x40) === 0 ? 0 : 1} ${(flags & 0x80) === 0 ? 0 : 1}`]!;
  const later = allowed.includes(kind) && mode.includes(kind);
  return { later, now: later && used.includes(kind) };
}
