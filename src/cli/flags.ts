/** Flags and arguments that several commands share. */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"

export const json = Flag.Boolean("json").pipe(
  Flag.withDescription("Print one JSON document on standard output"),
  Flag.withDefault(false),
)

/** `paper` when not given. */
export const profile = Flag.Literals("profile", ["paper", "laptop", "ci"]).pipe(
  Flag.withAlias("p"),
  Flag.withDescription("Which configuration: as published, or an overlay for a smaller machine"),
  Flag.withDefault("paper"),
)

export const spec = Argument.String("spec").pipe(
  Argument.withDescription("Spec file, or the name of one that comes with repro, such as mdlm_eos"),
)
