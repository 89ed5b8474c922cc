import {
  forgetfulPolicy,
  targetedPolicy,
  type WiringPolicy,
  wiremaxPolicy,
  wirePolicy,
} from '@uvmkit/uvm-core';
import { POLICY_NAMES, type PolicyName } from './scenario.ts';

/** The policies that can be run, in the order of history. */
export const wiringPolicies: readonly WiringPolicy[] = [
  wirePolicy,
  wiremaxPolicy,
  targetedPolicy,
  forgetfulPolicy,
];

/** The policy's name, as expectations are written under it. RangeError if none are. */
export function policyName({ name }: WiringPolicy): PolicyName {
  const known = POLICY_NAMES.find((each) => each === name);
  if (known === undefined)
    throw new RangeError(
      `no scenario says what to expect of the wiring policy "${name}": there are ${POLICY_NAMES.join(', ')}`,
    );
  return known;
}
