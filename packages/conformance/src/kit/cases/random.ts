import { type CaseContext, type KitCase, Breach } from '../case.ts';
import { perform, SHAPES } from '../commands.ts';
import { Model, type ModelOptions } from '../model.ts';
import type { Command, CommandShape } from '../search.ts';
import { asBreach, kitCase, onModel, tooFew, type Told } from './define.ts';

/** Random sequences: which commands, how many sequences of how many, on what. */
interface Sequences {
  readonly runs: number;
  readonly length: number;
  readonly model: ModelOptions;
  /** Commands that are not chosen. */
  readonly without?: readonly string[];
  /** Whether it is run on ports whose resources are few, one after the other, in place of the port. */
  readonly scarce?: boolean;
  /** Done before the first command. */
  readonly begin?: (model: Model) => void;
}

/** Shapes but those named. */
function shapes(without: readonly string[] = []): CommandShape[] {
  return SHAPES.filter(({ name }) => !without.includes(name));
}

/** A case that searches for a sequence at which port and ideal differ. */
export function randomCase(told: Told, sequences: Sequences): KitCase {
  const { cpus = 1 } = sequences.model;
  return kitCase(
    {
      ...told,
      inapplicable: (port, format) => told.inapplicable?.(port, format) ?? tooFew(port, cpus),
    },
    (context) => {
      const ports = sequences.scarce === true ? Object.values(context.scarce) : [context.port];
      for (const port of ports) searchOn({ ...context, port }, sequences);
    },
  );
}

function searchOn(context: CaseContext, sequences: Sequences): void {
  const { port, excused, seed, effort, search } = context;
  const options = { excused, ...sequences.model };
  const play = (model: Model, commands: readonly Command[]): void => {
    sequences.begin?.(model);
    for (const command of commands) perform(model, command);
    model.updates = true;
    model.sweep();
  };
  const found = search({
    shapes: shapes(sequences.without),
    seed,
    runs: Math.max(1, Math.round(sequences.runs * effort)),
    length: sequences.length,
    run: (commands) => play(new Model(port, options), commands),
  });
  if (found === null) return;
  // Once more, written down.
  onModel(port, options, (model) => play(model, found.commands));
  throw found.error instanceof Breach ? found.error : asBreach(found.error, []);
}

export const randomCases: readonly KitCase[] = [
  randomCase(
    {
      id: 'PMAP-RANDOM-001',
      sentence: 'after any sequence of calls and accesses by one CPU, port and ideal agree',
      clauses: [
        'Pmap.forgettable',
        'Pmap.attributes.page',
        'Pmap.attributes.exact',
        'Pmap.sleepless',
      ],
    },
    { runs: 150, length: 60, model: {} },
  ),
  randomCase(
    {
      id: 'PMAP-RANDOM-002',
      sentence: 'so they do with two CPUs',
      clauses: [
        'Pmap.forgettable',
        'Pmap.attributes.page',
        'Pmap.attributes.exact',
        'Pmap.deferred',
      ],
    },
    { runs: 150, length: 60, model: { cpus: 2 } },
  ),
  randomCase(
    {
      id: 'PMAP-RANDOM-003',
      sentence: 'so they do with two CPUs that run one map from the start',
      clauses: ['Pmap.attributes.exact', 'Pmap.deferred'],
    },
    {
      runs: 150,
      length: 40,
      model: { cpus: 2, maps: 3 },
      without: ['renew', 'deactivate', 'kenter', 'kremove', 'copy'],
      begin: (model) => {
        model.on(1).activate(0);
        model.on(0).activate(0);
      },
    },
  ),
  randomCase(
    {
      id: 'PMAP-RANDOM-004',
      sentence: 'so they do without DIAGNOSTIC',
      clauses: ['Pmap.forgettable'],
    },
    { runs: 40, length: 60, model: { diagnostic: false } },
  ),
  randomCase(
    {
      id: 'PMAP-RANDOM-005',
      sentence:
        'nothing is forgotten unless the caller allowed it by collect or clearReference, or something was short',
      level: 'MAY',
      clauses: ['Pmap.forgettable'],
    },
    { runs: 60, length: 40, model: { retentive: true } },
  ),
];
