/** Text for a terminal: lines are broken between words, and what goes on is indented below what it belongs to. */

/** A colour or a weight (ECMA-48 SGR), which takes no column. */
// oxlint-disable-next-line no-control-regex
const PAINT = /\u001b\[[0-9;]*m/g

const columnsOf = (text: string): number => [...text.replace(PAINT, "")].length

/** A command to copy, up to the end of its line: broken, it would be two. */
const COMMAND = /(?:^ *|: )(?:repro|npx|npm|pip|sbatch|sudo) [^\s.;][^;]*$/

/** Where the last column of a line begins; 0 without columns. */
const lastColumn = (line: string): number => columnsOf(/^(.*\S {2,})\S/.exec(line)?.[1] ?? "")

/** Where a line goes on: below its last column if that leaves room, else a little right of its beginning. */
const hangOf = (line: string, width: number): number => {
  const [, indent = "", item = ""] = /^( *)((?:[-•] |\d+\. )?)/.exec(line) ?? []
  const column = lastColumn(line)
  if (column > 0 && column <= Math.max(width / 2, width - 44)) return column
  return indent.length + (item !== "" ? item.length : column > 0 ? 4 : Math.min(indent.length, 2))
}

/** Words with the blanks before them; a command is one word. */
const wordsOf = (line: string): readonly string[] => {
  const command = COMMAND.exec(line)?.[0]
  const at = command === undefined || command.includes(". ") ? line.length : line.length - command.length
  const before = at === line.length ? line : line.slice(0, at + (command!.startsWith(": ") ? 1 : 0))
  return [
    ...(before.match(/ *[^ ]+/g) ?? []),
    ...(before.length === line.length ? [] : [line.slice(before.length)]),
  ]
}

const foldLine = (line: string, width: number): string => {
  if (columnsOf(line) <= width) return line
  const plain = line.replace(PAINT, "")
  const hang = hangOf(plain, width)
  const last = lastColumn(plain)
  const lines: string[] = []
  let current = ""
  let read = 0
  for (const word of wordsOf(line)) {
    read += columnsOf(word)
    // A last column without room begins a line of its own.
    const begins =
      lines.length === 0 &&
      last > 0 &&
      last !== hang &&
      read > last &&
      read - columnsOf(word.trimStart()) <= last
    if (current.trim() !== "" && (begins || columnsOf(current) + columnsOf(word) > width)) {
      lines.push(current)
      current = " ".repeat(hang) + word.trimStart()
    } else current += word
  }
  return [...lines, current].join("\n")
}

/**
 * The same words in lines of at most `width` columns. A word wider than that, such as a path, and a command to copy stay
 * whole.
 */
export const fold = (text: string, width: number): string =>
  text
    .split("\n")
    .map((line) => foldLine(line, Math.max(16, width)))
    .join("\n")

/** The text folded for a stream that is a terminal; for any other as it is. */
export const foldFor = (stream: NodeJS.WriteStream, text: string): string =>
  stream.isTTY && stream.columns > 0 ? fold(text, stream.columns) : text
