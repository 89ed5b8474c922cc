/**
 * The ids of every row that is known, as the list of behaviour rows groups them: `A..B` is a range of
 * numbers with as many digits, `*` belongs to the id.
 */
export const ROW_IDS: readonly string[] = expand([
  'NB-MMAP-01..14',
  'NB-MLOCK-01..08',
  'NB-MPROT-01..05',
  'NB-MINC-01..12',
  'NB-MINH-01..05',
  'NB-MSYNC-01..05',
  'NB-MEMFD-01..04',
  'NB-PHYS-*',
  'OP-MMAP-1-1..2',
  'OP-MMAP-3-1',
  'OP-MMAP-5-1',
  'OP-MMAP-6-1..6',
  'OP-MMAP-7-1..4',
  'OP-MMAP-9-1',
  'OP-MMAP-10-1',
  'OP-MMAP-11-1..6',
  'OP-MMAP-12-1',
  'OP-MMAP-13-1',
  'OP-MMAP-14-1',
  'OP-MMAP-16..17',
  'OP-MMAP-18-1',
  'OP-MMAP-19-1',
  'OP-MMAP-20',
  'OP-MMAP-21-1',
  'OP-MMAP-23-1',
  'OP-MMAP-24-1..2',
  'OP-MMAP-27-1',
  'OP-MMAP-31-1',
  'OP-MMAP-32-1',
  'OP-MUNMAP-1-1..2',
  'OP-MUNMAP-2-1',
  'OP-MUNMAP-3-1',
  'OP-MUNMAP-4-1',
  'OP-MUNMAP-5',
  'OP-MUNMAP-8-1',
  'OP-MUNMAP-9-1',
  'OP-MUNMAP-10-1',
  'OP-MLOCK-1',
  'OP-MLOCK-3',
  'OP-MLOCK-5-1',
  'OP-MLOCK-6',
  'OP-MLOCK-8-1',
  'OP-MLOCK-10-1',
  'OP-MLOCK-12-1',
  'OP-MUNLOCK-1',
  'OP-MUNLOCK-3',
  'OP-MUNLOCK-4',
  'OP-MUNLOCK-7-1',
  'OP-MUNLOCK-10-1',
  'OP-MUNLOCK-11-1',
  'OP-MLOCKALL-3-6..7',
  'OP-MLOCKALL-4..6',
  'OP-MLOCKALL-8-1',
  'OP-MLOCKALL-10',
  'OP-MLOCKALL-13-1..2',
  'OP-MLOCKALL-15-1',
  'OP-MUNLOCKALL-1..3',
  'OP-MUNLOCKALL-5-1',
  'NB-WIREMAX-1..6',
]);

function expand(ids: readonly string[]): string[] {
  return ids.flatMap((id) => {
    const range = /^(.*-)(\d+)\.\.(\d+)$/.exec(id);
    if (range === null) return [id];
    const [, prefix, first, last] = range;
    const count = Number(last) - Number(first) + 1;
    return Array.from(
      { length: count },
      (_, at) => `${prefix}${`${Number(first) + at}`.padStart(first!.length, '0')}`,
    );
  });
}
