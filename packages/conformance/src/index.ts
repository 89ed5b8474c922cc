/**
 * `@uvmkit/conformance`: what tells whether a port, and UVM on it, behave as they should.
 *
 * {@link runKit} judges a port by the contract of `@uvmkit/pmap`, case by case.
 * {@link runRows} runs the rows of observable behaviour that public suites expect, on any port.
 */
export { ROW_IDS } from './ids.ts';
export { type RowsOptions, type RowsReport, runRows } from './report.ts';
export * from './row.ts';
export { rows } from './rows/index.ts';
export { findingText, type RowFinding, type RowResult, runRow, type Verdict } from './run.ts';
export { type OpenedFile, type RowSetting, SetupError, World } from './world.ts';
export * from './wiring/index.ts';
export * from './kit/index.ts';
