/**
 * The permission rules as the manual tabulates them (Intel SDM volume 3, "Combined Page-Directory and
 * Page-Table Protection" and "Effect of CR0.WP"), written out cell by cell. Columns are the effective
 * us and rw.
 *
 *                                  us=0 rw=0   us=0 rw=1   us=1 rw=0   us=1 rw=1
 */
const ROWS: Readonly<Record<string, readonly [string, string, string, string]>> = {
  'user read': /*                */ ['fault', 'fault', 'ok', 'ok'],
  'user fetch': /*               */ ['fault', 'fault', 'ok', 'ok'],
  'user write': /*               */ ['fault', 'fault', 'fault', 'ok'],
  'supervisor read': /*          */ ['ok', 'ok', 'ok', 'ok'],
  'supervisor fetch': /*         */ ['ok', 'ok', 'ok', 'ok'],
  'supervisor write WP=0': /*    */ ['ok', 'ok', 'ok', 'ok'],
  'supervisor write WP=1': /*    */ ['fault', 'ok', 'fault', 'ok'],
};

export type Kind = 'read' | 'write' | 'fetch';

/** Whether the access is allowed, given the effective bits: ANDed for a small page, the PDE's own for a large one. */
export function allowed(kind: Kind, user: boolean, wp: boolean, us: boolean, rw: boolean): boolean {
  const mode = user ? 'user' : 'supervisor';
  const key = !user && kind === 'write' ? `${mode} write WP=${wp ? 1 : 0}` : `${mode} ${kind}`;
  const row = ROWS[key];
  if (row === undefined) throw new Error(`the table has no row ${key}`);
  return row[(us ? 2 : 0) + (rw ? 1 : 0)] === 'ok';
}

/** The error code the manual gives for the access: P, W, U in bits 0, 1, 2. */
export function faultCode(present: boolean, kind: Kind, user: boolean): number {
  return (present ? 1 : 0) + (kind === 'write' ? 2 : 0) + (user ? 4 : 0);
}
