/** Runs the command line on Node: signals interrupt it, its result becomes the exit code. */
import * as Effect from "effect/Effect"
import * as NodeRuntime from "@effect/platform-node-shared/NodeRuntime"
import { platform, run } from "./main.js"

export const start = (args: readonly string[]): void =>
  NodeRuntime.runMain(
    run(args).pipe(
      Effect.provide(platform),
      Effect.map((code) => {
        process.exitCode = code
      }),
    ),
  )
