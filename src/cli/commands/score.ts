import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { json } from "../flags.js"
import { runHandler } from "../../app/outcome.js"

const files = Argument.String("file").pipe(
  Argument.withDescription("Files of generations; several are the shards of one"),
  Argument.atLeast(1),
)
const task = Flag.String("task").pipe(
  Flag.withAlias("t"),
  Flag.withDescription("gsm8k, humaneval-infill or tinygsm (GSM8K answered by programs)"),
)
const grader = Flag.String("grader").pipe(
  Flag.withDescription(
    "A grader of the task, several times for several, or `all`; the usual ones when absent",
  ),
  Flag.atLeast(0),
)
const data = Flag.String("data").pipe(
  Flag.withDescription(
    "The test set: `published` (fetched once, digest checked), file:PATH, https://... or hf:OWNER/REPOSITORY@REVISION/PATH",
  ),
  Flag.optional,
)
const sha256 = Flag.String("sha256").pipe(
  Flag.withDescription("Digest of a test set that is not the published one"),
  Flag.optional,
)
const compare = Flag.String("compare").pipe(
  Flag.withDescription("Another file of generations, compared item by item; several times for its shards"),
  Flag.atLeast(0),
)
const claim = Flag.String("claim").pipe(
  Flag.withDescription("Id of a published claim to set beside the figures; several times for several"),
  Flag.atLeast(0),
)
const evidence = Flag.String("evidence").pipe(
  Flag.withDescription(
    "Write prompt, completion, extraction and value of each generation here, one JSON line each",
  ),
  Flag.optional,
)
const preflight = Flag.Boolean("full-preflight").pipe(
  Flag.withDescription("Run every item's own program first, not a few of them"),
  Flag.withDefault(false),
)

export const scoreCommand = Command.make(
  "score",
  { files, task, grader, data, sha256, compare, claim, evidence, preflight, json },
  (input) =>
    runHandler("score", input, async () => {
      const { score } = await import("../../app/score.js")
      return score({
        files: input.files,
        task: input.task,
        graders: input.grader,
        data: Option.getOrUndefined(input.data),
        sha256: Option.getOrUndefined(input.sha256),
        compare: input.compare,
        claims: input.claim,
        evidence: Option.getOrUndefined(input.evidence),
        fullPreflight: input.preflight,
      })
    }),
).pipe(
  Command.withDescription(
    "Grade generations that were made elsewhere, under several graders side by side. Reads FlexMDM's *_generations.json, HumanEval and EvalPlus samples, lm-evaluation-harness' samples_*.jsonl, xlm-core's predictions and plain JSON lines, recognised by what they hold, plain, gzip or zstd. A test set comes from the source that you name and is known by its digest; it is never guessed. Programs run only in a sandbox; where there is none they are not run. Exit codes: 0 scored, 1 failed, 2 wrong use, 3 items without a generation, or a claim that the figures do not agree with.",
  ),
  Command.withShortDescription("Grade stored generations of a task"),
  Command.withExamples([
    {
      command: "repro score 128_generations.json --task gsm8k --data published",
      description: "GSM8K under five readings of the text",
    },
    {
      command: "repro score samples.jsonl --task humaneval-infill --data published --grader all",
      description: "Infilled lines, run against their tests by four rules",
    },
    {
      command: "repro score a.jsonl --task gsm8k --compare b.jsonl --json",
      description: "Two models on the same items",
    },
  ]),
)
