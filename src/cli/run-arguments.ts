/** Arguments of the commands that read runs. */
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"

export const run = Argument.String("run").pipe(
  Argument.withDescription('A run: its id, the beginning or a part of one, its folder, or "latest"'),
)

export const runs = Flag.String("runs").pipe(
  Flag.withDescription("Folder that holds the runs"),
  Flag.withDefault("runs"),
)
