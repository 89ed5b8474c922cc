/** Rows in columns: the first column to the left, numbers and all the others to the right. */
export function table(
  titles: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string[] {
  const texts = [titles, ...rows].map((row) => row.map(String));
  const widths = titles.map((_, i) => Math.max(...texts.map((row) => row[i]!.length)));
  return texts.map((row) =>
    row
      .map((text, i) => (i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)))
      .join('  '),
  );
}
