import { wiringPolicies } from '@uvmkit/conformance';
import { type WiringPolicy, wiremaxPolicy } from '@uvmkit/uvm-core';
import { type Command, Option } from 'commander';
import { InputError } from './input-error.ts';
import { probability } from './values.ts';

/** What the options of {@link addMemoryOptions} are parsed to. */
export interface MemoryFlags {
  readonly policy: string;
  readonly amnesia: number;
}

/** Adds `--policy` and `--amnesia`: what mlock(2) does, and how forgetful the pmaps are. */
export function addMemoryOptions(command: Command): Command {
  return command
    .option('--policy <name>', `what mlock does: one of ${names().join(', ')}`, wiremaxPolicy.name)
    .addOption(
      new Option(
        '--amnesia <probability>',
        'how likely every mapping that is not wired is forgotten at each access, pmap call, system call and turn',
      )
        .default(0)
        .argParser(probability),
    );
}

/**
 * The wiring policy of that name.
 *
 * @throws InputError if there is none
 */
export function policyOf(name: string): WiringPolicy {
  const policy = wiringPolicies.find((each) => each.name === name);
  if (policy === undefined)
    throw new InputError(`--policy: expected one of ${names().join(', ')}, found "${name}"`);
  return policy;
}

/** In the order of history. */
function names(): string[] {
  return wiringPolicies.map(({ name }) => name);
}
