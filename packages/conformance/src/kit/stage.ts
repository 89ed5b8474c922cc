import {
  BareMachine,
  hex,
  KernelPanic,
  type MachineDependent,
  type Pa,
  PMAP_KERNEL,
  type Pmap,
  type PmapId,
  type Port,
  type Va,
} from '@uvmkit/pmap';
import { Breach } from './case.ts';
import { bootProblems, portProblems } from './checks.ts';

/** What a stage may be told. */
export interface StageOptions {
  /** CPUs; 1 if not given. */
  readonly cpus?: number;
  /** User maps made at once; 3 if not given. */
  readonly maps?: number;
  /** Bytes of RAM; 4 MB if not given, or as much more as the port wants. */
  readonly memory?: number;
  /** DIAGNOSTIC; on if not given. */
  readonly diagnostic?: boolean;
  /** Whether what is done is written down as TypeScript. */
  readonly record?: boolean;
}

/** The kernel's map where a user map's index is asked for. */
export const KERNEL = -1;

/** Managed pages that a stage has; the page after them is nobody's. */
export const PAGES = 4;
/** The index of the page that UVM does not manage: a device's, in RAM so that it can be read. */
export const UNMANAGED = 4;

const MB = 1 << 20;
const POISON = 0xff;

/** A bare machine whose freed table pages turn to garbage at once, so that whoever still walks through one is seen. */
class PoisonedMachine extends BareMachine {
  override freePage(pa: Pa): void {
    super.freePage(pa);
    this.memory.bytes.fill(POISON, pa, pa + this.memory.pageSize);
  }
}

/** The port, which is no longer believed: what it is and what it boots to must look as they should. */
function checked(port: Port, cpus: number): Port {
  const wanted = (problems: readonly string[]): void => {
    if (problems.length > 0)
      throw new Breach('the port', 'what its type says', problems.join('; '));
  };
  wanted(portProblems(port));
  const { name, description, layout, capabilities } = port;
  return {
    name,
    description,
    layout,
    capabilities,
    boot: (services) => {
      const md = port.boot(services);
      wanted(bootProblems(md, port, cpus));
      return md;
    },
  };
}

/**
 * A port booted for the kit: maps, pages and addresses known by small numbers, so that what is done to them can
 * be chosen at random, shrunk and written down.
 */
export class Stage {
  readonly machine: BareMachine;
  readonly md: MachineDependent;
  readonly pmap: Pmap;
  readonly pageSize: number;
  readonly cpus: number;
  /** Handles, by a user map's index. */
  readonly maps: PmapId[] = [];
  /** Addresses, by index: the managed ones and at last the unmanaged one. */
  readonly pages: readonly Pa[];
  /** Page addresses of user maps: three side by side, then ever farther apart, the last page last. */
  readonly userSpots: readonly Va[];
  /** Of the kernel's map: where `enter` maps. */
  readonly kernelSpots: readonly Va[];
  /** Of the kernel's map: where `kenterPa` maps. */
  readonly kenterSpots: readonly Va[];
  /** What was done, as TypeScript. */
  readonly script: string[] = [];
  readonly #record: boolean;

  constructor(port: Port, options: StageOptions = {}) {
    const { cpus = 1, maps = 3, memory = 4 * MB, diagnostic = true, record = false } = options;
    const { pageSize } = port.layout;
    this.#record = record;
    this.cpus = cpus;
    this.pageSize = pageSize;
    this.note(
      () =>
        `const machine = bootBare(port, { cpus: ${cpus}, memory: ${memory}, unmanaged: ${pageSize}, diagnostic: ${diagnostic} });`,
    );
    this.machine = new PoisonedMachine(checked(port, cpus), {
      cpus,
      memory,
      diagnostic,
      unmanaged: pageSize,
    });
    this.md = this.machine.md;
    this.pmap = this.md.pmap;
    this.note(() => 'const { md } = machine;');
    this.note(() => 'const { pmap } = md;');
    const { segments } = this.machine;
    this.pages = Array.from({ length: PAGES + 1 }, (_, page) => {
      const managed = page < PAGES;
      this.note(
        () =>
          `const page${page} = ${managed ? 'machine.takePage()' : 'machine.segments[0].end; // not managed'};`,
      );
      return managed ? this.machine.takePage() : segments[0]!.end;
    });
    this.userSpots = userSpots(port);
    const { start, end } = this.pmap.virtualSpace();
    [this.kernelSpots, this.kenterSpots] = kernelSpots(start, end, pageSize);
    this.#grow(this.kenterSpots.at(-1)! + pageSize);
    for (let map = 0; map < maps; map++) this.create();
  }

  #grow(maxva: Va): void {
    const { growKernel } = this.pmap;
    if (growKernel === null) return;
    this.note(() => `pmap.growKernel(${code(maxva)});`);
    growKernel.call(this.pmap, maxva);
  }

  /** Makes the next user map. */
  create(): PmapId {
    const map = this.maps.length;
    this.note(() => `const map${map} = pmap.create();`);
    const id = this.pmap.create();
    this.maps.push(id);
    return id;
  }

  /** The handle of a user map by its index, or of {@link KERNEL}. */
  id(map: number): PmapId {
    return map === KERNEL ? PMAP_KERNEL : this.maps[map]!;
  }

  /** What a map is called in the script. */
  name(map: number): string {
    return map === KERNEL ? 'PMAP_KERNEL' : `map${map}`;
  }

  /** Writes a line down, if lines are written down. */
  note(line: () => string): void {
    if (this.#record) this.script.push(line());
  }

  /** Takes the last line back: it has changed nothing. */
  unnote(): void {
    this.script.pop();
  }

  /** A breach seen on this stage. */
  breach(what: string, wanted: string, found: string): Breach {
    this.note(() => `// ${what}: wanted ${wanted}, found ${found}`);
    return new Breach(what, wanted, found, this.script);
  }
}

/** An address as TypeScript; what a port answers in place of one, as far as it can be told. */
export function code(address: number): string {
  if (!Number.isSafeInteger(address)) return JSON.stringify(address) ?? String(address);
  return address < 0 ? `${address}` : hex(address, 1);
}

/** What was thrown, as one line. */
export function thrown(error: unknown): string {
  if (error instanceof KernelPanic) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/**
 * Addresses that share what a table covers and addresses that do not: side by side, at distances at which page tables,
 * segments and caches of many MMUs begin anew, and the last page.
 */
function userSpots({ layout }: Port): Va[] {
  const { pageSize, userMin, userMax, userHoles } = layout;
  const first = Math.ceil(Math.max(userMin, pageSize) / pageSize) * pageSize;
  const distances = [0, 1, 2].map((pages) => pages * pageSize);
  const far = [18, 22, 24, 28].map((bits) => 2 ** bits);
  const inHole = (va: Va): boolean => userHoles.some(({ start, end }) => va >= start && va < end);
  return [...distances, ...far]
    .map((distance) => first + distance)
    .filter((va) => va < userMax - pageSize && !inHole(va))
    .concat(userMax - pageSize);
}

/** Likewise for the kernel: half for `enter`, half for `kenterPa`, in areas of their own. */
function kernelSpots(start: Va, end: Va, pageSize: number): [Va[], Va[]] {
  const first = start + 8 * pageSize;
  const half = Math.min(2 ** 23, Math.floor((end - first) / 2 / pageSize) * pageSize);
  const distances = [0, pageSize, 2 ** 18, half - 2 * pageSize].filter(
    (distance) => distance < half - pageSize,
  );
  return [first, first + half].map((base) => distances.map((distance) => base + distance)) as [
    Va[],
    Va[],
  ];
}
