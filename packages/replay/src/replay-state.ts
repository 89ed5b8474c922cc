import type { Machine, Process } from '@uvmkit/machine';
import type { RecordedProcess } from './actions.ts';
import { Cells, ZERO_CELL } from './cells.ts';
import type { Findings, Mismatch } from './findings.ts';
import { type ModelSpace, PAGE_KNOWN, PAGE_MAPPED } from './model-space.ts';
import { Objects } from './objects.ts';
import type { Placement } from './placement.ts';
import { ReplayFiles } from './replay-files.ts';
import type { Survey } from './survey.ts';
import type { TracePlace } from './trace-error.ts';

/** A recorded process being replayed: the machine's, and what it should see. */
export interface ReplayProcess {
  readonly process: Process;
  readonly model: ModelSpace;
  /** The machine's descriptors, by the number of the recorded file; opened when they are first needed. */
  readonly descriptors: Map<number, number>;
}

/** Everything that a replay goes on with: the machine on one side, the model of its memory on the other. */
export class ReplayState {
  readonly machine: Machine;
  readonly placement: Placement;
  readonly place: TracePlace;
  readonly findings: Findings;
  readonly cells: Cells;
  readonly objects: Objects;
  readonly files: ReplayFiles;
  readonly processes: Map<RecordedProcess, ReplayProcess> = new Map();
  /** First touches below the stack as it was when its process started. */
  stackGrowth = 0;

  constructor(
    machine: Machine,
    placement: Placement,
    survey: Survey,
    place: TracePlace,
    findings: Findings,
  ) {
    this.machine = machine;
    this.placement = placement;
    this.place = place;
    this.findings = findings;
    this.cells = new Cells(placement.unit, machine.md.port.layout.littleEndian);
    this.objects = new Objects(this.cells, (object) => survey.sizeOf(object));
    this.files = new ReplayFiles(machine, this.objects);
  }

  of(recorded: RecordedProcess): ReplayProcess {
    const replay = this.processes.get(recorded);
    if (replay === undefined)
      throw this.place.error('a process with an image', `process ${recorded.pid}, which has none`);
    return replay;
  }

  /**
   * The flags of a recorded page, 0 if it lies nowhere, after finding out what it shows: a page is looked at
   * when it is first used, since most of what is mapped never is.
   *
   * @param slot the page's, or −1
   */
  known(recorded: RecordedProcess, { model }: ReplayProcess, page: number, slot: number): number {
    if (slot < 0) return 0;
    const flags = model.flags(slot);
    if ((flags & (PAGE_MAPPED | PAGE_KNOWN)) !== PAGE_MAPPED) return flags;
    const region = recorded.regions.find(page);
    if (region === null)
      throw this.place.error('the model to agree with the map', `page ${page.toString(16)}`);
    if (region.what === 'stack') this.stackGrowth++;
    const { object, offset, start } = region;
    model.know(
      slot,
      object === null ? ZERO_CELL : this.objects.cell(object, offset + page - start),
    );
    return model.flags(slot);
  }

  /** Notes a mismatch on the current line. */
  mismatch(kind: Mismatch['kind'], { pid }: RecordedProcess, text: string): void {
    this.findings.mismatch(kind, this.place.line, pid, text);
  }
}
