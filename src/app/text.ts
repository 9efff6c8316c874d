/** Plain text for terminals. */

/** Rows as columns separated by two spaces; the last column is not filled. */
export const columns = (rows: readonly (readonly string[])[], indent = ""): string => {
  const widths: number[] = []
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length)
  return rows
    .map(
      (row) =>
        indent +
        row
          .map((cell, index) => cell.padEnd(widths[index] ?? 0))
          .join("  ")
          .trimEnd(),
    )
    .join("\n")
}
