/** The error of this folder: a sentence that names the run, what was found and the cure. */
import { DataError, systemCode } from "../files/errors.js"

/** What went wrong, for callers that react differently to each. */
export type RunErrorReason =
  | "locked"
  | "unknown-run"
  | "not-found"
  | "ambiguous"
  | "damaged"
  | "exists"
  | "no-space"
  | "refused"
  | "input-output"

export class RunError extends Error {
  readonly _tag = "RunError"
  readonly reason: RunErrorReason
  /** File or folder the sentence is about. */
  readonly subject: string
  /** 2 when the person named no run, 1 otherwise. */
  readonly exitCode: 1 | 2

  constructor(reason: RunErrorReason, subject: string, message: string, cause?: unknown) {
    super(`${subject}: ${message}`, cause === undefined ? undefined : { cause })
    this.name = "RunError"
    this.reason = reason
    this.subject = subject
    this.exitCode = reason === "unknown-run" || reason === "ambiguous" ? 2 : 1
  }
}

/** A system error (or one already wrapped by a file writer) as a sentence with the cure for a run. */
export const runErrorFrom = (error: unknown, subject: string, doing: string): RunError => {
  if (error instanceof RunError) return error
  const origin = error instanceof DataError && error.cause !== undefined ? error.cause : error
  switch (systemCode(origin)) {
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return new RunError(
        "no-space",
        subject,
        `the disk is full while ${doing}; nothing before this is lost: free some space and continue the run with --resume.`,
        error,
      )
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new RunError(
        "refused",
        subject,
        `permission was denied while ${doing}; make the folder writable for you or choose another one with --runs.`,
        error,
      )
    case "ENOENT":
      return new RunError(
        "not-found",
        subject,
        `there is no such file while ${doing}; "repro list" shows the runs that exist.`,
        error,
      )
    case "ENOTDIR":
    case "EEXIST":
      return new RunError(
        "exists",
        subject,
        `a file stands where a folder is needed while ${doing}; move it away or choose another folder with --runs.`,
        error,
      )
    default:
      if (error instanceof DataError && (error.reason === "truncated" || error.reason === "invalid")) {
        return new RunError("damaged", subject, `${error.message} (while ${doing})`, error)
      }
      return new RunError(
        "input-output",
        subject,
        `failed while ${doing}: ${origin instanceof Error ? origin.message : String(origin)}.`,
        error,
      )
  }
}
