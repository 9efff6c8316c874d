/** The table in LaTeX: a float that fits on a page, or a long table. Needs array and booktabs, and longtable for the latter. */
import type { ResultsTable } from "../../analysis/table.js"
import { headlineOf, headlineRows, type Headline } from "../headline.js"
import { showInterval, viewTable, type TableView } from "../view.js"
import { claimLine, floorsLine, gradedLine, headlineColumns, headlineLabel } from "./headline-columns.js"
import { withoutDetails } from "./headline.js"

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

/** Escaped text in which a path or a name too long for a line may be broken after its slashes and underscores. */
const breakable = (escaped: string): string =>
  escaped.replace(/\S{30,}/g, (word) => word.replace(/(\/|\\_)(?=.)/g, "$1\\allowbreak{}"))

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

const HEADS = (interval: string): string => `& value & unit & ${escapeLatex(interval)} & denominator \\\\`
/** Words wrap; figures do not. */
const COLUMNS = "@{}p{0.26\\linewidth}rp{0.14\\linewidth}lp{0.19\\linewidth}@{}"

const bodyOf = (view: TableView, noted: boolean): readonly string[] =>
  view.groups.flatMap(({ name, rows }) => [
    "\\midrule",
    `\\multicolumn{5}{@{}l}{\\emph{${escapeLatex(name)}}} \\\\`,
    ...rows.map((row) => {
      const marks = !noted || row.notes.length === 0 ? "" : `\\textsuperscript{${row.notes.join(",")}}`
      const cells = [
        `\\raggedright\\hangindent=1em ${escapeLatex(row.label)}${marks}`,
        number(row.shown.sign, row.shown.value),
        `\\raggedright ${escapeLatex(row.row.unit)}`,
        escapeLatex(showInterval(row, view.level)),
        `\\raggedright\\arraybackslash ${escapeLatex(row.denominator)}`,
      ]
      return `${cells.join(" & ")} \\\\`
    }),
  ])

const captionOf = (view: TableView, sentences: readonly string[]): string =>
  escapeLatex([view.title, ...sentences].join(". ").replaceAll("..", "."))

const legendOf = (view: TableView): string => `${view.legend.map(escapeLatex).join(", ")}.`

const intervalOf = (view: TableView): string =>
  view.level === undefined ? "interval" : `${view.level} interval`

/** Lines below the columns, over the whole width. */
const belowOf = (lines: readonly string[]): readonly string[] =>
  lines.length === 0
    ? []
    : [
        "",
        "  \\medskip",
        "  \\begin{minipage}{\\linewidth}\\raggedright",
        ...lines.map((line) => `    ${line}\\par`),
        "  \\end{minipage}",
      ]

const floatOf = (
  view: TableView,
  columns: string,
  body: readonly string[],
  below: readonly string[] = [],
): string =>
  [
    "% Needs \\usepackage{array,booktabs}. Every row with its notes: --rows all.",
    "\\begin{table}",
    "  \\centering\\footnotesize\\setlength{\\tabcolsep}{4pt}\\setlength{\\belowcaptionskip}{6pt}",
    `  \\caption{${captionOf(view, view.verdict.map(withoutDetails))}}`,
    ...(body.length === 0
      ? []
      : [
          `  \\begin{tabular}{${columns}}`,
          "    \\toprule",
          ...body.map((line) => `    ${line}`),
          "    \\bottomrule",
          "  \\end{tabular}",
        ]),
    ...belowOf([...below, ...(view.legend.length === 0 ? [] : [legendOf(view)])]),
    "\\end{table}",
    "",
  ].join("\n")

/** Text whose first character may be the sign of a bound. */
const shownNumber = (text: string): string => {
  const [, sign = "", rest = ""] = /^(?:([≤≥≈?]) )?(.*)$/.exec(text) ?? []
  return number(sign, rest)
}

/** A head in two lines where it has two words. */
const head = (title: string): string => {
  const [, first = "", rest = ""] = /^(\D+?\/|\D+? )(?=\w{6})(.*)$/.exec(title) ?? []
  return rest === "" || title.startsWith("bits/")
    ? escapeLatex(title)
    : `\\shortstack[r]{${escapeLatex(first.trim())}\\\\${escapeLatex(rest)}}`
}

/** The headline: a row an estimator, and what stands below them over the whole width. */
const headlineFloat = (view: TableView, headline: Headline): string => {
  const columns = headlineColumns(headline)
  const below = [...headline.graded.map(gradedLine), ...headline.claims.map(claimLine), floorsLine(headline)]
  return floatOf(
    view,
    `@{}l${"r".repeat(columns.length)}@{}`,
    headline.rows.length === 0
      ? []
      : [
          `& ${columns.map(({ title }) => head(title)).join(" & ")} \\\\`,
          "\\midrule",
          ...headline.rows.map(
            (row) =>
              `${[escapeLatex(headlineLabel(row)), ...columns.map(({ cell }) => shownNumber(cell(row)))].join(" & ")} \\\\`,
          ),
        ],
    below.filter((line) => line !== "").map(escapeLatex),
  )
}

/** Rows over as many pages as they take, the notes behind them. */
const long = (view: TableView): string =>
  [
    "% Needs \\usepackage{array,booktabs,longtable}.",
    "{\\footnotesize\\setlength{\\tabcolsep}{4pt}\\setlength{\\LTcapwidth}{\\linewidth}",
    `\\begin{longtable}{${COLUMNS}}`,
    `  \\caption{${captionOf(view, view.verdict)}} \\\\`,
    "  \\toprule",
    `  ${HEADS(intervalOf(view))}`,
    "  \\endfirsthead",
    "  \\toprule",
    `  ${HEADS(intervalOf(view))}`,
    "  \\midrule",
    "  \\endhead",
    "  \\bottomrule",
    "  \\endfoot",
    ...bodyOf(view, true).map((line) => `  ${line}`),
    "\\end{longtable}",
    ...(view.legend.length === 0 ? [] : [`\\noindent ${legendOf(view)}\\par`]),
    ...view.notes.map(
      (note, index) => `\\noindent\\textsuperscript{${index + 1}}${breakable(escapeLatex(note))}\\par`,
    ),
    "}",
    "",
  ].join("\n")

/** Rows that a page holds with its caption, as their labels may wrap. */
const PAGE = 20

/**
 * What fits on a page: the headline, or of a table without one all rows where these are few; else, and where all are
 * asked for, a long table.
 */
export const renderLatex = (table: ResultsTable, all = false): string => {
  const view = viewTable(table)
  const headline = all ? undefined : headlineOf(table)
  if (headline !== undefined)
    return headlineFloat(viewTable({ ...table, rows: headlineRows(headline) }), headline)
  return all || table.rows.length > PAGE
    ? long(view)
    : floatOf(view, COLUMNS, [HEADS(intervalOf(view)), ...bodyOf(view, false)])
}
