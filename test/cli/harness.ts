/** Runs the command line in this process with a test console. */
import * as Effect from "effect/Effect"
import * as TestConsole from "effect/testing/TestConsole"
import { platform, run } from "../../src/cli/main.js"

export interface Invocation {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export const invoke = (...args: readonly string[]): Promise<Invocation> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const code = yield* run(args)
      const stdout = (yield* TestConsole.logLines).join("\n")
      const stderr = (yield* TestConsole.errorLines).join("\n")
      return { code, stdout, stderr }
    }).pipe(Effect.provide(TestConsole.layer), Effect.provide(platform)),
  )
