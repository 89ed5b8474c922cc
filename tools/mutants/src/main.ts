import { parseArgs } from 'node:util';
import { campaign, type Fate } from './campaign.ts';
import type { Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';
import { PORTS } from './ports.ts';

/** A whole number from an option, or the end of the program. */
function number(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!(value > 0)) refuse(`--${name} must be a number above 0, given ${text}`);
  return value;
}

function refuse(why: string): never {
  console.error(`mutants: ${why}`);
  process.exit(2);
}

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    filter: { type: 'string', default: '' },
    seed: { type: 'string' },
    effort: { type: 'string' },
    threads: { type: 'string' },
    limit: { type: 'string' },
    known: { type: 'boolean', default: false },
  },
});
const ports = values.port?.split(',') ?? Object.keys(PORTS);
for (const port of ports)
  if (!Object.hasOwn(PORTS, port))
    refuse(`no port ${port}; there are ${Object.keys(PORTS).join(', ')}`);
const words = values.filter.split(',');
const chosen = mutants.filter(
  ({ port, id }) => ports.includes(port) && words.some((word) => id.includes(word)),
);
if (chosen.length === 0) refuse(`no mutant of ${ports.join(', ')} has ${values.filter} in its id`);

const byId = new Map(chosen.map((mutant) => [mutant.id, mutant]));
let done = 0;
const told = ({ id, by, tried, ms }: Fate): void => {
  const after = `${tried} case${tried === 1 ? '' : 's'}, ${(ms / 1000).toFixed(1)} s`;
  console.log(
    `${String(++done).padStart(3)}/${chosen.length} ${id.padEnd(32)} ${by ?? 'SURVIVES'} (${after})`,
  );
};

const seed = number('seed', values.seed);
const effort = number('effort', values.effort);
const threads = number('threads', values.threads);
const seconds = number('limit', values.limit);
const fates = await campaign(
  chosen,
  {
    known: values.known,
    ...(seed === undefined ? {} : { seed }),
    ...(effort === undefined ? {} : { effort }),
    ...(threads === undefined ? {} : { threads }),
    ...(seconds === undefined ? {} : { limit: 1000 * seconds }),
  },
  told,
);

const late = fates.filter(({ id, by }) => by !== null && !byId.get(id)!.killedBy.includes(by));
for (const { id, by, reason } of late)
  console.log(`\n${id} was found by ${by}, not by what is noted: ${reason}`);
const survivors: Mutant[] = fates.filter(({ by }) => by === null).map(({ id }) => byId.get(id)!);
console.log(`\n${fates.length - survivors.length} of ${fates.length} found. Survivors:`);
for (const { id, wrong } of survivors) console.log(`  ${id}: ${wrong}`);
if (survivors.length === 0) console.log('  none');
process.exitCode = survivors.length === 0 ? 0 : 1;
