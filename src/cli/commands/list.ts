import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { json } from "../flags.js"
import { runs } from "../run-arguments.js"
import { runHandler } from "../../app/outcome.js"

const what = Argument.String("what").pipe(
  Argument.withDescription("specs, runs or claims; specs and runs when left out"),
  Argument.optional,
)
const words = Argument.String("words").pipe(
  Argument.withDescription("Words that each line has"),
  Argument.variadic(),
)
const claims = Flag.String("claims").pipe(
  Flag.withDescription("Folder of claims files, or one file, listed beside those that come with repro"),
  Flag.optional,
)

export const listCommand = Command.make("list", { what, words, claims, runs, json }, (input) =>
  runHandler("list", input, async () => {
    const { list } = await import("../../app/list.js")
    return list({
      what: Option.getOrUndefined(input.what),
      words: input.words,
      claims: Option.getOrUndefined(input.claims),
      runs: input.runs,
    })
  }),
).pipe(
  Command.withDescription(
    "Show the experiments that are here, those of this folder first, the runs that were made with seed, state, date and first figure, or the published claims with their ids. Exit code 3 when words are given and nothing has them.",
  ),
  Command.withShortDescription("Show experiments, runs and published claims"),
  Command.withExamples([
    { command: "repro list", description: "Specs with their profiles, and runs" },
    { command: "repro list claims headline", description: "Published figures and their ids, by words" },
    { command: "repro list runs --json", description: "The runs for a program" },
  ]),
)
