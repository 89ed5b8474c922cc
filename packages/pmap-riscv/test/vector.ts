/**
 * What an access comes to: the physical address, and if it is of interest the address of an entry and its low word after; or
 * the cause of a fault, of which stval is the address, down to the byte, and no entry has changed.
 */
export type Outcome = readonly [number] | readonly [number, number, number];

/** In words, address, access (see `accessOf`), outcome, and where Svade makes a difference the outcome under it. */
export type Vector =
  | readonly [string, number, string, Outcome]
  | readonly [string, number, string, Outcome, Outcome];
