/** Errors as people and as programs read them, and the exit codes they end with. */
import { documentOf, type ExitCode } from "../app/outcome.js"
import { SpecError } from "../spec/spec-error.js"
import { visible } from "../spec/visible.js"

const EXIT_CODES: Readonly<Record<string, ExitCode>> = { SpecError: 2, UsageError: 2, ClaimError: 2 }

/** The exit code of an error: its own `exitCode`, else by its name, else 1. */
export const exitCodeOf = (error: unknown): ExitCode => {
  if (!(error instanceof Error)) return 1
  const own = "exitCode" in error ? error.exitCode : undefined
  if (own === 0 || own === 1 || own === 2 || own === 3) return own
  return EXIT_CODES[error.name] ?? 1
}

/** What was thrown, as an error. */
export const asError = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(String(thrown))

/** An error as a person reads it: its message; the stack too when REPRO_DEBUG is set or the error is ours to mend. */
export const describe = (error: Error): string => {
  const ours = ["TypeError", "RangeError", "ReferenceError"].includes(error.name)
  const text = ours || process.env["REPRO_DEBUG"] ? (error.stack ?? error.message) : error.message
  return visible(`repro: ${text}`)
}

/** The same for programs: `--json` prints one document however the command ends. */
export const errorDocument = (errors: readonly Error[], exitCode: ExitCode): string => {
  const told = errors.map((error) => ({
    name: error.name,
    message: error.message,
    ...(error instanceof SpecError ? { file: error.file, problems: error.problems, more: error.more } : {}),
  }))
  return visible(JSON.stringify(documentOf("error", { exitCode, errors: told }), null, 2))
}
