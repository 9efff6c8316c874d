/** The table as a LaTeX float; needs only the booktabs package. */
import type { ResultsTable } from "../../analysis/table.js"
import { showInterval, viewTable } from "../view.js"

const SPECIAL: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "{": "\\{",
  "}": "\\}",
  $: "\\$",
  "&": "\\&",
  "#": "\\#",
  "%": "\\%",
  _: "\\_",
  "^": "\\textasciicircum{}",
  "~": "\\textasciitilde{}",
  "<": "\\textless{}",
  ">": "\\textgreater{}",
  "[": "{[}",
  "]": "{]}",
  "≤": "$\\leq$",
  "≥": "$\\geq$",
  "≈": "$\\approx$",
  "×": "$\\times$",
  "·": "$\\cdot$",
}

/** Text that LaTeX prints as it is. */
export const escapeLatex = (text: string): string =>
  text.replace(/[\\{}$&#%_^~<>[\]≤≥≈×·]/g, (character) => SPECIAL[character] ?? character)

const SIGNS: Readonly<Record<string, string>> = {
  "≤": "\\leq ",
  "≥": "\\geq ",
  "≈": "\\approx ",
  "?": "?\\, ",
}

/** Numbers in math mode keep a true minus; anything else is text. */
const number = (sign: string, text: string): string => {
  const exponent = /^(-?[\d.]+)e([+-]\d+)$/.exec(text)
  const body = exponent === null ? text : `${exponent[1] ?? ""} \\times 10^{${String(Number(exponent[2]))}}`
  return /^-?[\d.]/.test(text) ? `$${SIGNS[sign] ?? ""}${body}$` : escapeLatex(text)
}

export const renderLatex = (table: ResultsTable): string => {
  const view = viewTable(table)
  const interval = view.level === undefined ? "interval" : `${view.level} interval`
  const lines = [
    "% Needs \\usepackage{booktabs}.",
    "\\begin{table}",
    "  \\centering",
    `  \\caption{${escapeLatex([view.title, ...view.verdict].join(". ").replaceAll("..", "."))}}`,
    "  \\begin{tabular}{lrlll}",
    "    \\toprule",
    `    & value & unit & ${escapeLatex(interval)} & denominator \\\\`,
  ]
  for (const { name, rows } of view.groups) {
    lines.push("    \\midrule", `    \\multicolumn{5}{l}{\\emph{${escapeLatex(name)}}} \\\\`)
    for (const row of rows) {
      const marks = row.notes.length === 0 ? "" : `\\textsuperscript{${row.notes.join(",")}}`
      const cells = [
        escapeLatex(row.label) + marks,
        number(row.shown.sign, row.shown.value),
        escapeLatex(row.row.unit),
        escapeLatex(showInterval(row, view.level)),
        escapeLatex(row.denominator),
      ]
      lines.push(`    ${cells.join(" & ")} \\\\`)
    }
  }
  lines.push("    \\bottomrule", "  \\end{tabular}")
  const notes = view.notes.map((note, index) => `\\textsuperscript{${index + 1}}${escapeLatex(note)}`)
  const below = [
    ...(view.legend.length === 0 ? [] : [`${view.legend.map(escapeLatex).join(", ")}.`]),
    ...notes,
  ]
  if (below.length > 0) {
    lines.push("", "  \\medskip", "  \\begin{minipage}{\\linewidth}\\footnotesize")
    lines.push(...below.map((text, index) => `    ${text}${index < below.length - 1 ? "\\\\" : ""}`))
    lines.push("  \\end{minipage}")
  }
  lines.push("\\end{table}", "")
  return lines.join("\n")
}
