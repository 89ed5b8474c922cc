import type { KitCase, KitResult } from '@uvmkit/conformance';
import type { Port } from '@uvmkit/pmap';
import { openRecording, replayRecording } from '@uvmkit/replay';
import { defaultRecording, lockingRecording, recordingAt } from '../recordings.ts';
import { checksFailed } from '../report-rows.ts';

/** What every result tells of the case that it is of. */
type Told = Pick<KitCase, 'id' | 'sentence' | 'layer' | 'level' | 'clauses'>;

/** A recorded program as a case: the recordings that come along. */
interface RecordingCase extends Told {
  readonly path: () => string;
}

/** A result without what only the kit's own cases have. */
type RecordingResult = Omit<KitResult, 'case'> & { readonly case: Told };

/** The cases that are recordings: they are read from files, so the kit itself cannot have them. */
export const recordingCases: readonly RecordingCase[] = [
  {
    id: 'UVM-REPLAY-forkcow',
    sentence:
      'a recorded program that forks and writes reads every byte that it read when it was recorded',
    layer: 'uvm',
    level: 'MUST',
    clauses: [],
    path: defaultRecording,
  },
  {
    id: 'UVM-REPLAY-locker',
    sentence: 'so does a recorded program that locks memory',
    layer: 'uvm',
    level: 'MUST',
    clauses: [],
    path: lockingRecording,
  },
];

/** Replays the recording of that case on a port. */
export async function recordingCase(
  id: string,
  port: Port,
  seed: number,
): Promise<RecordingResult> {
  const each = recordingCases.find((candidate) => candidate.id === id)!;
  const result = { case: each, arch: port.name, script: [] };
  try {
    const opened = await openRecording(await recordingAt(each.path(), null));
    const report = await replayRecording(opened, { port, seed, clock: () => performance.now() });
    if (report.ok) return { ...result, verdict: 'held', reason: '' };
    return {
      ...result,
      verdict: 'failed',
      reason: `${checksFailed(report)}${report.stopped === null ? '' : ', stopped'}`,
    };
  } catch (error) {
    // A port that cannot carry a machine at all.
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { ...result, verdict: 'failed', reason };
  }
}
