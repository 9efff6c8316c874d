/**
 * What a command's handler returns and how it ends.
 *
 * Data goes to standard output, everything else to standard error. Exit codes: 0 ok, 1 failed, 2 usage or invalid
 * spec, 3 differs or incomplete.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { visible, visiblePainted } from "../spec/visible.js"
import { foldFor } from "./fold.js"

export type ExitCode = 0 | 1 | 2 | 3

export interface Outcome {
  /** For people. */
  readonly text: string
  /** The text may have colours, set around what was made visible before. */
  readonly painted?: boolean
  /** The text is a document or a generated text: a terminal gets its lines as they are. */
  readonly verbatim?: boolean
  /** The same for programs; printed as one JSON document by `--json`. It may name its own `format` and `version`. */
  readonly json: object
  /** Remarks for standard error. */
  readonly notes?: readonly string[]
  /** 0 when absent. */
  readonly exitCode?: ExitCode
}

/** Ends the command with an exit code; everything there was to say has been said. */
export class ExitWith extends Error {
  readonly _tag = "ExitWith"
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode) {
    super(`exit code ${exitCode}`)
    this.name = "ExitWith"
    this.exitCode = exitCode
  }
}

/** A wrong use of the command line that its grammar cannot catch; ends with exit code 2. */
export class UsageError extends Error {
  readonly _tag = "UsageError"
  readonly exitCode = 2

  constructor(message: string) {
    super(message)
    this.name = "UsageError"
  }
}

/** What `--json` prints: every document names its format and the version of it. */
export const documentOf = (name: string, content: object): object => ({
  format: `repro-${name}`,
  version: 1,
  ...content,
})

/**
 * Runs a handler (give it as a dynamic import, so that `--help` stays quick) and prints its outcome.
 *
 * @param name of the document's format, where the outcome does not say: the command's
 */
export const runHandler = (
  name: string,
  options: { readonly json: boolean },
  handler: () => Promise<Outcome>,
) =>
  Effect.gen(function* () {
    const outcome = yield* Effect.tryPromise({ try: handler, catch: (error: unknown) => error })
    for (const note of outcome.notes ?? []) yield* Console.error(foldFor(process.stderr, visible(note)))
    const shown = outcome.painted === true ? visiblePainted : visible
    const text = shown(outcome.text)
    yield* Console.log(
      // JSON escapes the controls of C0 alone; the same escapes are right for the others.
      options.json
        ? visible(JSON.stringify(documentOf(name, outcome.json), null, 2))
        : outcome.verbatim === true
          ? text
          : foldFor(process.stdout, text),
    )
    if (outcome.exitCode !== undefined && outcome.exitCode !== 0)
      return yield* Effect.fail(new ExitWith(outcome.exitCode))
  })
