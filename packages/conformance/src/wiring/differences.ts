import type { Cell, WiringReport } from './run.ts';
import type { Kind, PolicyName } from './scenario.ts';

/** MMUs on which the same became of a scenario. */
export interface Group {
  readonly archs: readonly string[];
  readonly kind: Kind;
  readonly words: string;
  /** Why, by the first of their expectations. */
  readonly because: string;
}

/** A scenario under a policy, its MMUs by what became of it there: the most of them first. */
export interface Grouped {
  readonly scenario: string;
  readonly policy: PolicyName;
  readonly groups: readonly Group[];
}

/** The cells of a scenario under a policy, those alike together. */
export function grouped(report: WiringReport, scenario: string, policy: PolicyName): Grouped {
  const groups: { archs: string[]; kind: Kind; words: string; because: string }[] = [];
  for (const cell of report.cells) {
    if (cell.scenario !== scenario || cell.policy !== policy) continue;
    const words = commonWords(cell);
    const same = groups.find((group) => group.kind === cell.kind && group.words === words);
    if (same !== undefined) same.archs.push(cell.arch);
    else
      groups.push({
        archs: [cell.arch],
        kind: cell.kind,
        words,
        because: cell.expected.because,
      });
  }
  return {
    scenario,
    policy,
    groups: groups.toSorted((a, b) => b.archs.length - a.archs.length),
  };
}

/** Where not every MMU of the report that can be asked says the same. */
export function differences(report: WiringReport): Grouped[] {
  return report.scenarios
    .flatMap(({ id }) => report.policies.map((policy) => grouped(report, id, policy)))
    .filter(({ groups }) => groups.filter(({ kind }) => kind !== 'absent').length > 1);
}

/** What a group does, as a sentence without its end. */
export function groupText({ archs, kind, words }: Group): string {
  const one = archs.length === 1;
  const told: Readonly<Record<Kind, string>> = {
    absent: one ? 'has no second CPU' : 'have no second CPU',
    fine: one ? 'shrugs' : 'shrug',
    message: `${one ? 'complains' : 'complain'}: "${words}"`,
    count: one ? 'miscounts' : 'miscount',
    lost: `${one ? 'loses' : 'lose'} the lock or its memory without a word`,
    panic: `${one ? 'panics' : 'panic'}: "${words}"`,
    broken: one ? 'breaks an invariant' : 'break an invariant',
  };
  return `${listed(archs)} ${told[kind]}`;
}

/** Names with commas, and `and` before the last. */
export function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/** A message without what only this run's addresses and numbers say. */
function commonWords({ kind, words, expected }: Cell): string {
  return kind === 'message' && words.startsWith(expected.words) ? expected.words : words;
}
