/** A matched comparison in each form that the results table has, its findings below or in front. */
import { comparisonName, showComparison } from "../analysis/matched-comparison.js"
import type { Finding } from "../analysis/matched-findings.js"
import type { Matched } from "../analysis/matched.js"
import { renderTable, type TableFormat } from "./render/index.js"
import { wrap, type TerminalOptions } from "./render/terminal.js"

const WORDS = { more: "more", fewer: "fewer", neither: "cannot be told" } as const

interface Line {
  readonly name: string
  readonly difference: string
  readonly interval: string
  readonly values: readonly [string, string]
  readonly windows: number
  readonly told: string
}

const linesOf = ({ comparisons }: Finding): readonly Line[] =>
  comparisons.map((comparison) => ({
    name: comparisonName(comparison),
    ...showComparison(comparison),
    windows: comparison.windows,
    told: WORDS[comparison.told],
  }))

const sidesOf = ({ comparisons: [first] }: Finding): string =>
  first === undefined || first.a.model === first.b.model
    ? "the first minus the second"
    : `${first.a.model} minus ${first.b.model}`

const findingTerminal = (finding: Finding, { width, colour }: TerminalOptions): readonly string[] => {
  const bold = (text: string): string => (colour ? `\x1b[1m${text}\x1b[22m` : text)
  const lines = linesOf(finding)
  const column = (of: (line: Line) => string): number => Math.max(...lines.map((line) => of(line).length))
  const [difference, interval] = [column((line) => line.difference), column((line) => line.interval)]
  return [
    "",
    ...wrap(finding.title, width).map(bold),
    ...wrap(`${finding.setting} Bits/byte, ${sidesOf(finding)}:`, width),
    ...lines.flatMap((line) => {
      const figures = `  ${line.difference.padStart(difference)}  ${line.interval.padEnd(interval)}  `
      const rest = `${line.told === "cannot be told" ? "(cannot be told) " : ""}${line.name}: ${line.values[0]} and ${line.values[1]}, ${line.windows} windows`
      return wrap(rest, Math.max(20, width - figures.length)).map((text, index) =>
        index === 0 ? figures + text : " ".repeat(figures.length) + text,
      )
    }),
    ...wrap(finding.method, width),
  ]
}

const cell = (text: string): string => text.replaceAll("|", "\\|")

const findingMarkdown = (finding: Finding): string =>
  [
    `### ${finding.title}`,
    "",
    `${finding.setting} Bits/byte, ${sidesOf(finding)}. ${finding.method}`,
    "",
    "| under | difference | interval | values | windows | a difference |",
    "| :--- | ---: | :--- | :--- | ---: | :--- |",
    ...linesOf(finding).map(
      ({ name, difference, interval, values, windows, told }) =>
        `| ${cell(name)} | ${difference} | ${interval} | ${values[0]} and ${values[1]} | ${windows} | ${told} |`,
    ),
    "",
  ].join("\n")

/** Findings in front of the table's rows, for forms that have one text alone. */
export const withFindings = ({ table, findings }: Matched): Matched["table"] => ({
  ...table,
  header: {
    ...table.header,
    verdict: [...table.header.verdict, ...findings.map(({ title, sentence }) => `${title}. ${sentence}`)],
  },
})

/** The whole text, ended by a newline. */
export const renderMatched = (result: Matched, format: TableFormat, terminal: TerminalOptions): string => {
  switch (format) {
    case "terminal":
      return [
        renderTable(result.table, format, terminal),
        ...result.findings.flatMap((finding) =>
          findingTerminal(finding, terminal).map((line) => `${line}\n`),
        ),
      ].join("")
    case "md":
      return [
        renderTable(result.table, format, terminal),
        ...(result.findings.length === 0
          ? []
          : ["\n## Findings\n", ...result.findings.map((finding) => `\n${findingMarkdown(finding)}`)]),
      ].join("")
    case "json":
      return `${JSON.stringify(result, null, 2)}\n`
    default:
      return renderTable(withFindings(result), format, terminal)
  }
}
