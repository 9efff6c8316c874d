import * as Command from "effect/cli/Command"
import { json } from "../flags.js"
import { runHandler } from "../../app/outcome.js"
import { run, runs } from "../run-arguments.js"

export const verifyCommand = Command.make("verify", { run, runs, json }, (input) =>
  runHandler("verify", input, async () => {
    const { verify } = await import("../../app/verify.js")
    return verify(input.runs, input.run)
  }),
).pipe(
  Command.withDescription(
    "Compare every file of a run with the digest that the run recorded when it wrote the file, and the manifest with what can be derived from it again. Nothing is changed. A judge of its texts that is another by now is told beside. Exit codes: 0 all as written, 1 something is not, 2 invalid use, 3 the run is of an earlier version and recorded no digests.",
  ),
  Command.withShortDescription("Prove that a run's files are as they were written"),
  Command.withExamples([
    { command: "repro verify latest", description: "The newest run" },
    { command: "repro verify copies/20260131T142530Z-mdlm_eos-laptop-1a2b3c4d", description: "A copy" },
  ]),
)
