import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { json } from "../flags.js"
import { runHandler } from "../../app/outcome.js"
import { run, runs } from "../run-arguments.js"

export const format = Flag.Literals("format", ["terminal", "md", "csv", "tex", "html", "json"]).pipe(
  Flag.withAlias("f"),
  Flag.withDescription("terminal, Markdown, CSV, LaTeX (booktabs), one HTML page, or JSON"),
  Flag.withDefault("terminal"),
)

const full = Flag.Boolean("full").pipe(
  Flag.withDescription("Every row with its notes on a terminal, too; the other formats always hold them"),
  Flag.withDefault(false),
)

const rows = Flag.String("rows").pipe(
  Flag.withDescription(
    'Only these rows, such as "elbo-t128,claim,floor/xz": groups, evaluations or ids of rows; all for every row. LaTeX holds the headline without it, and a long table with it',
  ),
  Flag.optional,
)

export const tableCommand = Command.make("table", { run, format, full, rows, runs, json }, (input) =>
  runHandler("table", input, async () => {
    const { table } = await import("../../app/table.js")
    return table(input.runs, input.run, input.format, input.full, Option.getOrUndefined(input.rows))
  }),
).pipe(
  Command.withDescription(
    "Print the results table of a run: on a terminal one row an estimator, the claims, the floors and what they say of the network, and with --full every row. Every value says its unit, its kind of bound, its denominator and its contract; a byte count from a constant stands apart, as published; the floors of the same text stand below.",
  ),
  Command.withShortDescription("Print the results table of a run"),
  Command.withExamples([
    { command: "repro table latest", description: "The newest run, for a terminal" },
    { command: "repro table latest --full", description: "Every row, with its notes" },
    {
      command: "repro table latest --format tex > table.tex",
      description: "For a paper: what fits on a page",
    },
    {
      command: "repro table latest --format tex --rows all > all.tex",
      description: "Every row, as a long table for the appendix",
    },
  ]),
)
