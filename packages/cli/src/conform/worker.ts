import { cases, runCase } from '@uvmkit/conformance';
import { search } from '@uvmkit/conformance/fast-check';
import { InputError } from '../input-error.ts';
import { recordingCase } from './recording-cases.ts';
import { load, type Loaded } from './subjects.ts';
import type { CaseReport, ConformTask, Introduction, Subject } from './task.ts';

/** What came of a task: what was asked for, or why the subject cannot be used. */
export type Answer =
  | { readonly introduction: Introduction }
  | { readonly report: CaseReport }
  | { readonly unusable: string };

// Loaded once a worker: a port is a value, and cases boot it anew.
const loaded: Map<string, Promise<Loaded>> = new Map();

function loadOnce(subject: Subject): Promise<Loaded> {
  const key = JSON.stringify(subject);
  let port = loaded.get(key);
  if (port === undefined) loaded.set(key, (port = load(subject)));
  return port;
}

/** Runs a task: what the pool calls in a thread of its own, so that a port that never returns can be ended. */
export async function conform({ subject, id, seed, effort }: ConformTask): Promise<Answer> {
  let port: Loaded;
  try {
    port = await loadOnce(subject);
  } catch (error) {
    if (error instanceof InputError) return { unusable: error.message };
    throw error;
  }
  const { name, description } = port.port;
  if (id === null) return { introduction: { arch: name, description } };
  const began = performance.now();
  const each = cases.find((candidate) => candidate.id === id);
  const result =
    each === undefined
      ? await recordingCase(id, port.port, seed)
      : runCase(each, port.port, {
          search,
          seed,
          effort,
          scarce: port.scarce,
          ...(port.format === undefined ? {} : { format: port.format }),
        });
  const { sentence, layer, level, clauses } = result.case;
  const { arch, verdict, reason, script } = result;
  const ms = performance.now() - began;
  return {
    report: { id, sentence, layer, level, clauses, arch, verdict, reason, script, ms },
  };
}
