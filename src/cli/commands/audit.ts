import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { json, spec } from "../flags.js"
import { runHandler } from "../../app/outcome.js"

const md = Flag.Boolean("md").pipe(
  Flag.withDescription("Print the reviewer packet as Markdown"),
  Flag.withDefault(false),
)
const html = Flag.String("html").pipe(
  Flag.withDescription("Folder to write the reviewer packet to: audit.html, audit.md and audit.json"),
  Flag.optional,
)
const run = Flag.String("run").pipe(
  Flag.withDescription("Set a run beside the claims: its id, the beginning of it, or latest"),
  Flag.optional,
)
const runs = Flag.String("runs").pipe(
  Flag.withDescription("Folder of run directories"),
  Flag.withDefault("runs"),
)
const claims = Flag.String("claims").pipe(
  Flag.withDescription(
    "A file or a folder of files: claims, lm-evaluation-harness results or Every-Eval-Ever records; those that come with repro when absent",
  ),
  Flag.optional,
)

export const auditCommand = Command.make("audit", { spec, md, html, run, runs, claims, json }, (input) =>
  runHandler("audit", input, async () => {
    const { audit } = await import("../../app/audit.js")
    return audit({
      ...input,
      html: Option.getOrUndefined(input.html),
      run: Option.getOrUndefined(input.run),
      claims: Option.getOrUndefined(input.claims),
    })
  }),
).pipe(
  Command.withDescription(
    "Say what each published number of a spec is: its contract, the verdict against the definition, its value under the definition with interval and assumptions, and the findings. Arithmetic on published figures: no GPU, no checkpoint, no network.",
  ),
  Command.withShortDescription("Say what each published number means"),
  Command.withExamples([
    { command: "repro audit specs/mdlm_eos.json", description: "What the numbers of PR #1241 are" },
    { command: "repro audit mdlm_eos --html packet", description: "The same as a page for reviewers" },
    {
      command: "repro audit mdlm_eos --run latest --json",
      description: "With the newest run, for a program",
    },
  ]),
)
