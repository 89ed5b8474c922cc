/**
 * `@uvmkit/replay`: recorded programs on a uvmkit machine, with every byte that they read checked.
 *
 * {@link readVmtrace} and {@link readLackey} read recordings, {@link openRecording} looks one over, {@link replayRecording}
 * performs it on a port and reports.
 */
export { type Mismatch } from './findings.ts';
export { type Images, readLackeyMaps } from './lackey-maps.ts';
export { type LackeyOptions, readLackey } from './lackey-reader.ts';
export type { Chunks } from './lines.ts';
export { type Moved, PlacementError } from './placement.ts';
export * from './records.ts';
export {
  openRecording,
  type RecordingSource,
  type ReplayOptions,
  replayRecording,
  type SurveyedRecording,
} from './replay.ts';
export { replayUnderPressure } from './pressure.ts';
export type { ReplayReport } from './report.ts';
export { TraceError, TracePlace } from './trace-error.ts';
export { readVmtrace } from './vmtrace-reader.ts';
export { VmtraceWriter } from './vmtrace-writer.ts';
