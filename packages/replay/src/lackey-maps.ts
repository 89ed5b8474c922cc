import { type InitialRegion, TRACE_LIMITS, TRACE_PAGE } from './records.ts';
import { TracePlace, quote } from './trace-error.ts';
import { type Chunks, latin1 } from './lines.ts';

/** The images of each process, in the order in which it started them. */
export type Images = Map<number, InitialRegion[][]>;

/**
 * Reads what `valgrind -d` wrote on standard error: the segment list of every process image as it
 * starts. Other lines are the recorder's chatter and skipped.
 *
 *     --4329:1: aspacem <<< SHOW_SEGMENTS: Memory layout at client startup (31 segments)
 *     --4329:1: aspacem (1,47,7) /usr/bin/cat                                   name 1
 *     --4329:1: aspacem   2: file 0000109000-000010efff   24576 r-x-- d=… o=4096    (1,47)
 *     --4329:1: aspacem  11: RSVN 0004036000-0004834fff 8384512 ----- SmLower   room above the heap
 *     --4329:1: aspacem  26: RSVN 00be800000-00beffefff 8384512 ----- SmUpper   room below the stack
 *     --4329:1: aspacem >>>
 *
 * Lower-case `file` and `anon` belong to the program, upper case to the recorder.
 *
 * @throws TraceError if the text is too long, or a segment of a list is not as it should be
 */
export async function readLackeyMaps(source: Chunks, file: string): Promise<Images> {
  const place = new TracePlace(file);
  let text = '';
  for await (const chunk of source) {
    if (text.length + chunk.length > TRACE_LIMITS.maps)
      throw place.error(`at most ${TRACE_LIMITS.maps} bytes of maps`, 'more');
    text += latin1(chunk, 0, chunk.length);
  }
  const reader = new MapsReader(place);
  for (const line of text.split('\n')) {
    place.line++;
    reader.line(line);
  }
  if (reader.images.size === 0) {
    place.line = 0;
    throw place.error(
      'the segment lists that valgrind -d prints ("Memory layout at client startup")',
      'none',
    );
  }
  return reader.images;
}

const START = /^--(\d{1,10}):\d: *aspacem <<<.*Memory layout at client startup/;
const NAME = /^--\d+:\d: aspacem \((\d+),\d+,\d+\) (\S+)/;
const SEGMENT = /^--\d+:\d: *aspacem +\d+: (\S*) *([0-9a-f]{1,13})-([0-9a-f]{1,13}) +(\S+)(.*)/;

class MapsReader {
  readonly images: Images = new Map();
  readonly #place: TracePlace;
  #image: InitialRegion[] | null = null;
  #names: Map<string, string> = new Map();
  /** The start of the room below the stack, if the segment before was that. */
  #room: number | null = null;

  constructor(place: TracePlace) {
    this.#place = place;
  }

  line(line: string): void {
    const start = START.exec(line);
    if (start !== null) {
      this.#image = [];
      this.#names = new Map();
      this.#room = null;
      const pid = Number(start[1]);
      const images = this.images.get(pid) ?? [];
      images.push(this.#image);
      this.images.set(pid, images);
      return;
    }
    if (this.#image === null) return;
    if (line.includes('aspacem >>>')) {
      this.#image = null;
      return;
    }
    const name = NAME.exec(line);
    if (name !== null) {
      this.#names.set(name[1]!, name[2]!);
      return;
    }
    const segment = SEGMENT.exec(line);
    if (segment !== null) this.#segment(this.#image, segment);
  }

  #segment(image: InitialRegion[], match: RegExpExecArray): void {
    const kind = match[1]!;
    const start = Number.parseInt(match[2]!, 16);
    const end = Number.parseInt(match[3]!, 16) + 1;
    const rest = match[5]!;
    if (kind === 'RSVN' && rest.includes('SmUpper')) {
      this.#room = start;
      return;
    }
    if (kind === 'RSVN' && rest.includes('SmLower')) this.#heap(image, end);
    else if (kind === 'file' || kind === 'anon') this.#region(image, { kind, start, end, rest });
  }

  /** Room to grow follows the heap's first page. */
  #heap(image: InitialRegion[], limit: number): void {
    const heap = image.pop();
    if (heap === undefined)
      throw this.#place.error('a segment before the room for the heap (SmLower)', 'none');
    image.push({ ...heap, contents: { what: 'brk', limit } });
  }

  #region(
    image: InitialRegion[],
    segment: { kind: string; start: number; end: number; rest: string },
  ): void {
    const { kind, start, end, rest } = segment;
    const rights = /^\s*([r-])([w-])([x-])/.exec(rest);
    if (
      rights === null ||
      start % TRACE_PAGE !== 0 ||
      end <= start ||
      (end - start) / TRACE_PAGE > TRACE_LIMITS.regionPages
    )
      throw this.#place.error('a segment: KIND START-END SIZE RIGHTS …', quote(rest));
    const prot =
      (rights[1] === 'r' ? 1 : 0) | (rights[2] === 'w' ? 2 : 0) | (rights[3] === 'x' ? 4 : 0);
    if (image.length === TRACE_LIMITS.regions)
      throw this.#place.error(`at most ${TRACE_LIMITS.regions} segments`, 'another one');
    if (kind === 'file') {
      const offset = /o=(\d{1,15})/.exec(rest);
      const slot = /\((\d+),\d+\)\s*$/.exec(rest);
      if (offset === null || slot === null)
        throw this.#place.error('o=OFFSET and (NAME,N) on a file segment', quote(rest));
      const path = this.#names.get(slot[1]!) ?? '?';
      const own = path.includes('/valgrind/') && !path.includes('vgpreload');
      image.push({
        start,
        end,
        prot,
        contents: own ? { what: 'tool' } : { what: 'file', path, offset: Number(offset[1]) },
      });
    } else if (this.#room === null) image.push({ start, end, prot, contents: { what: 'anon' } });
    else image.push({ start, end, prot, contents: { what: 'stack', limit: this.#room } });
    this.#room = null;
  }
}
