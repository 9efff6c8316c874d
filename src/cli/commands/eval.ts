import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { engineFlags, outputRuns as runs } from "../engine-flags.js"
import { json, set } from "../flags.js"
import { runHandler } from "../../app/outcome.js"

const checkpoint = Flag.String("checkpoint").pipe(
  Flag.withDescription("Weights: a safetensors file, or a state dict written by torch.save (.pt)"),
)
const spec = Flag.String("spec").pipe(
  Flag.withDescription(
    "Spec file that the network and the data are of, or the name of one, such as mdlm_eos",
  ),
)
const profile = Flag.String("profile").pipe(
  Flag.withAlias("p"),
  Flag.withDescription("Which configuration of the spec the weights are of"),
  Flag.withDefault("paper"),
)
const evaluation = Flag.String("evaluation").pipe(
  Flag.withDescription("Id of one evaluation of the spec; all of them when absent"),
  Flag.optional,
)
const names = Flag.String("names").pipe(
  Flag.withDescription(
    'JSON file from names in the checkpoint to names of the network: {"model.": "", "lm_head.weight": "head.weight", "unused": null}',
  ),
  Flag.optional,
)
export const evalCommand = Command.make(
  "eval",
  { checkpoint, spec, profile, set, evaluation, names, ...engineFlags, runs, json },
  (input) =>
    runHandler("eval", input, async () => {
      const { evaluateCheckpoint } = await import("../../app/eval.js")
      return evaluateCheckpoint(input)
    }),
).pipe(
  Command.withDescription(
    "Score weights that were trained elsewhere: nothing is trained, evidence and table are written as a run of their own, which names the file and its digest. Names of torch.compile and DistributedDataParallel are understood; nothing in a .pt file is executed. The data must be there (repro prepare). Exit codes: 0 finished, 1 failed, 2 invalid spec, 3 stopped before the end.",
  ),
  Command.withShortDescription("Score a checkpoint that was trained elsewhere"),
  Command.withExamples([
    {
      command: "repro eval --checkpoint model.pt --spec mdlm_eos",
      description: "The author's file of PR #1241 under every evaluation of its spec",
    },
    {
      command:
        "repro eval --checkpoint model.safetensors --spec mdlm_nelbo --evaluation any-order --names names.json",
      description: "One evaluation, with tensors renamed",
    },
  ]),
)
