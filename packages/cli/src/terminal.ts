import type { Output } from './io.ts';

/** Whether an output is a terminal, on which bars and prompts can be drawn. */
export function isTerminal(output: Output): output is NodeJS.WriteStream {
  return output.isTTY === true;
}
