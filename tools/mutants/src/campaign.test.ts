import { describe, expect, it } from 'vitest';
import { campaign } from './campaign.ts';
import type { Change, Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';

/** Of each port two mutants, other ones when the list has grown: the first and the last that one short case finds. */
const slice = [...new Set(mutants.map(({ port }) => port))].flatMap((name) => {
  const quick = mutants.filter(
    ({ port, killedBy }) => port === name && !killedBy[0]?.includes('-RANDOM-'),
  );
  return [...new Set([quick[0]!, quick.at(-1)!])];
});

/** Each port in each variant that mutants have, with a change that changes nothing and all cases that find a mutant. */
function sound(): (Change & Pick<Mutant, 'killedBy'>)[] {
  const ports = new Map<string, Change & Pick<Mutant, 'killedBy'>>();
  for (const { port, file, variant = 'default', killedBy } of mutants) {
    if (!file.endsWith('pmap.ts')) continue;
    const id = `${port}-${variant}-sound`;
    const known = new Set([...(ports.get(id)?.killedBy ?? []), ...killedBy]);
    const change = { find: 'export class', replace: 'export /* as it is */ class' };
    ports.set(id, { id, port, file, variant, ...change, killedBy: [...known] });
  }
  return [...ports.values()];
}

describe('the kit', () => {
  it('finds two mutants of each port by the case that is noted for them', async () => {
    const fates = await campaign(slice, { known: true });
    for (const { id, by } of fates) expect(by, id).not.toBeNull();
  }, 120_000);

  it('finds nothing in ports that were derived without a bug, by the cases that find one', async () => {
    const fates = await campaign(sound(), { known: true, effort: 0.1 });
    expect(fates.filter(({ by }) => by !== null)).toEqual([]);
  }, 120_000);

  it('takes a worker that does not answer for a failure', async () => {
    const endless: Change = {
      id: 'i386-endless',
      port: 'i386',
      file: 'pmap.ts',
      find: 'zeroPage(pa: Pa): void {',
      replace: 'zeroPage(pa: Pa): void {\n    for (;;) pa++;',
    };
    const [fate] = await campaign([{ ...endless, killedBy: ['PMAP-RANDOM-001'] }], {
      known: true,
      limit: 3000,
    });
    expect(fate).toMatchObject({ by: 'PMAP-RANDOM-001', reason: 'no answer within 3 s' });
  }, 60_000);
});
