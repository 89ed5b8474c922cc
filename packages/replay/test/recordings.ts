import { openRecording, readVmtrace, type SurveyedRecording } from '../src/index.ts';
import { chunks, gunzipped } from './sources.ts';

/** The path of a fixture. */
export function fixture(name: string): string {
  return new URL(`./fixtures/${name}`, import.meta.url).pathname;
}

/** A page-level fixture, surveyed. */
export async function openFixture(name: string): Promise<SurveyedRecording> {
  const path = fixture(`${name}.vmt.gz`);
  return openRecording({
    name,
    read: (place, handler) => readVmtrace(gunzipped(path), place, handler),
  });
}

/** A recording of the lines given, with the header and the totals that belong to them. */
export function recordingText(lines: readonly string[]): string {
  let refs = 0;
  let records = 0;
  let syscalls = 0;
  let pid = '';
  const active = new Set<string>();
  for (const line of lines) {
    const [kind, first, count] = line.split(' ');
    if (kind === 'P') pid = first!;
    else if (kind === 'S') syscalls++;
    else if (kind !== undefined && 'XRWU'.includes(kind)) {
      records++;
      refs += Number(count ?? 1);
      active.add(pid);
    }
  }
  const end = `# end refs ${refs} records ${records} syscalls ${syscalls} processes ${active.size}`;
  return `${['# vmtrace 1', '# name test', ...lines, end].join('\n')}\n`;
}

/** Such a recording, surveyed. */
export async function openLines(lines: readonly string[]): Promise<SurveyedRecording> {
  const text = recordingText(lines);
  return openRecording({
    name: 'test.vmt',
    read: (place, handler) => readVmtrace(chunks(text), place, handler),
  });
}

/** A process with text, data, heap and stack, to begin a recording with. */
export const SMALL_IMAGE: readonly string[] = [
  'P 100 1',
  'I 100000 102000 r-x file /bin/test 0',
  'I 102000 104000 rw- file /bin/test 8192',
  'I 104000 105000 rwx brk limit 200000',
  'I befff000 bf000000 rw- stack limit bef00000',
];
