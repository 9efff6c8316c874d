import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { json } from "../flags.js"
import { runHandler } from "../../app/outcome.js"
import { run, runs } from "../run-arguments.js"

const other = Argument.String("other").pipe(
  Argument.withDescription("A second run to compare with; the published claims when left out"),
  Argument.optional,
)

const claims = Flag.String("claims").pipe(
  Flag.withDescription("Folder of claims files; those that come with repro when left out"),
  Flag.optional,
)

export const diffCommand = Command.make("diff", { run, other, claims, runs, json }, (input) =>
  runHandler("diff", input, async () => {
    const { diffTwoRuns, diffWithClaims } = await import("../../app/diff.js")
    return Option.isSome(input.other)
      ? diffTwoRuns(input.runs, input.run, input.other.value)
      : diffWithClaims(input.runs, input.run, Option.getOrUndefined(input.claims))
  }),
).pipe(
  Command.withDescription(
    "Set a run beside each published claim of its experiment: under the claim's own definition and under the exact byte table, with what differs named. Or set two runs beside each other: identical, within rounding, or different and where. Exit code 3 when something differs or is incomplete.",
  ),
  Command.withShortDescription("Set a run beside the published claims, or beside another run"),
  Command.withExamples([
    { command: "repro diff latest", description: "The newest run beside its published claims" },
    { command: "repro diff latest 20260131T142530Z --json", description: "Two runs, for a program" },
  ]),
)
