/** Flags and arguments that several commands share. */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"

export const json = Flag.Boolean("json").pipe(
  Flag.withDescription("Print one JSON document on standard output"),
  Flag.withDefault(false),
)

/** `paper` when not given. */
export const profile = Flag.String("profile").pipe(
  Flag.withAlias("p"),
  Flag.withDescription(
    "Which configuration: paper, as published, or an overlay of the spec, such as laptop or ci",
  ),
  Flag.withDefault("paper"),
)

export const set = Flag.String("set").pipe(
  Flag.withDescription(
    "One setting of the spec, such as model.width=96 or training.seed=7, checked as the file is; null removes; may be repeated",
  ),
  Flag.atLeast(0),
)

export const spec = Argument.String("spec").pipe(
  Argument.withDescription("Spec file, or the name of one that comes with repro, such as mdlm_eos"),
)
