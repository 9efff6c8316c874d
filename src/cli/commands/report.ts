import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { json } from "../flags.js"
import { runHandler } from "../../app/outcome.js"
import { run, runs } from "../run-arguments.js"

const out = Flag.String("out").pipe(
  Flag.withAlias("o"),
  Flag.withDescription("Folder to write to; it is made, and files of an earlier report in it are replaced"),
)

export const reportCommand = Command.make("report", { run, out, runs, json }, (input) =>
  runHandler("report", input, async () => {
    const { report } = await import("../../app/report.js")
    return report(input.runs, input.run, input.out)
  }),
).pipe(
  Command.withDescription(
    "Write the results of a run into one folder: the table as Markdown, HTML, CSV, LaTeX and JSON, plots as SVG with their data as Vega-Lite, among them the training loss and the validation curve, and these curves as events for TensorBoard. Prints the paths written. Of several runs: repro sweep SPEC --table --out DIR, repro matched --table --out DIR.",
  ),
  Command.withShortDescription("Write tables and plots of a run into a folder"),
  Command.withExamples([{ command: "repro report latest --out report", description: "The newest run" }]),
)
