import { type File, type Machine, O_RDWR } from '@uvmkit/machine';
import { fillFile, type Objects } from './objects.ts';
import type { TraceObject } from './regions.ts';
import type { ReplayProcess } from './replay-state.ts';

/** Bytes put on the disk at a time. */
const PIECE = 1 << 20;

/** The recorded files on the machine's disk: made up when they are first needed, before time starts for them. */
export class ReplayFiles {
  readonly #machine: Machine;
  readonly #objects: Objects;
  readonly #files: Map<number, File> = new Map();

  constructor(machine: Machine, objects: Objects) {
    this.#machine = machine;
    this.#objects = objects;
  }

  /** The machine's file for a recorded one, with the bytes that {@link fillFile} gives it. */
  file(object: TraceObject): File {
    let file = this.#files.get(object.id);
    if (file === undefined) {
      file = this.#machine.fs.create(nameOf(object), 0, 0o700);
      this.#files.set(object.id, file);
      const size = this.#objects.sizeOf(object);
      for (let offset = 0; offset < size; offset += PIECE) {
        const bytes = new Uint8Array(Math.min(PIECE, size - offset));
        fillFile(object.id, offset, bytes);
        file.fill(offset, bytes);
      }
    }
    return file;
  }

  /** A descriptor of the file in the process, for reading and writing; −1 if it cannot have one. */
  descriptor(replay: ReplayProcess, object: TraceObject): number {
    const open = replay.descriptors.get(object.id);
    if (open !== undefined) return open;
    this.file(object);
    const { error, value } = replay.process.sys.open(nameOf(object), O_RDWR);
    if (error !== 0) return -1;
    replay.descriptors.set(object.id, value);
    return value;
  }

  /** The process has no use for the file any more. Mappings of it stay. */
  close(replay: ReplayProcess, object: TraceObject): void {
    const open = replay.descriptors.get(object.id);
    if (open === undefined) return;
    replay.descriptors.delete(object.id);
    replay.process.sys.close(open);
  }
}

/** A path may name one file and, after it was unlinked, another. */
function nameOf(object: TraceObject): string {
  return `${object.id} ${object.name}`;
}
