import { violationText } from '@uvmkit/uvm-core';
import { type Expected, type Kind, KINDS } from './scenario.ts';
import type { Stage } from './stage.ts';

/** One thing that speaks for a kind of outcome. */
export interface Finding {
  readonly kind: Kind;
  /** The step in which it was seen. */
  readonly step: string;
  /** A sentence or what the kernel said. */
  readonly text: string;
  /** The numbers of the invariant (§14), 0 if it is none. */
  readonly invariant: number;
}

/** What became of a scenario, and what says so. */
export interface Verdict {
  /** The worst of the findings' kinds. */
  readonly kind: Kind;
  /** The panic's words or the console's line; empty if there is none. */
  readonly words: string;
  readonly findings: readonly Finding[];
}

/** Invariants that a lock or its memory is lost by: stale, excessive, dangling or missing mappings, wrong contents. */
const LOSSES: ReadonlySet<number> = new Set([34, 35, 36, 37, 41, 44, 49]);
/** Invariants of counts: of the queues, of the pmap, of claims (40), of what is left in the end; and of the policies' own books. */
const COUNTS: ReadonlySet<number> = new Set([9, 13.3, 13.4, 24, 38, 39, 40, 46, 48]);

/** Classifies what happened on a stage whose curtain has fallen. */
export function judge(stage: Stage): Verdict {
  const findings = [
    ...panicFindings(stage),
    ...brokenFindings(stage),
    ...sightFindings(stage),
    ...leftFindings(stage),
    ...messageFindings(stage),
  ];
  const kind = worst(findings.map((finding) => finding.kind));
  const said = findings.find((finding) => finding.kind === kind);
  const words = kind === 'panic' || kind === 'message' ? (said?.text ?? '') : '';
  return { kind, words, findings };
}

/** Whether a verdict is the one expected: of a panic and a message the words count too. */
export function meets(verdict: Verdict, { kind, words }: Expected): boolean {
  return verdict.kind === kind && verdict.words.startsWith(words);
}

function worst(kinds: readonly Kind[]): Kind {
  const rank = Math.max(KINDS.indexOf('fine'), ...kinds.map((kind) => KINDS.indexOf(kind)));
  return KINDS[rank]!;
}

function panicFindings({ machine, stoppedIn }: Stage): Finding[] {
  if (machine.panic === null) return [];
  return [{ kind: 'panic', step: stoppedIn, text: machine.panic.words, invariant: 0 }];
}

function brokenFindings({ breaks }: Stage): Finding[] {
  return breaks.map(({ step, ...violation }) => {
    const { invariant } = violation;
    const kind = LOSSES.has(invariant) ? 'lost' : COUNTS.has(invariant) ? 'count' : 'broken';
    return { kind, step, text: violationText(violation), invariant };
  });
}

function sightFindings({ sights }: Stage): Finding[] {
  return sights
    .filter(({ seen, right }) => !right.includes(seen))
    .map(({ what, seen, right, isCount }) => ({
      kind: isCount ? 'count' : 'lost',
      step: what,
      text: `${what}: ${seen}, where ${right.join(' or ')} is right`,
      invariant: 0,
    }));
}

/** What processes have left behind. A machine that stopped had no chance to clean up. */
function leftFindings({ machine, wiredPages }: Stage): Finding[] {
  if (machine.panic !== null || wiredPages === 0) return [];
  const text = `${wiredPages} pages are wired after every process has ended`;
  return [{ kind: 'count', step: 'the end', text, invariant: 0 }];
}

function messageFindings({ console, machine }: Stage): Finding[] {
  return console
    .filter(({ text }) => text !== machine.panic?.message)
    .map(({ step, text }) => ({ kind: 'message', step, text, invariant: 0 }));
}
