/** The error of this folder: a sentence that names the file, what was found and the cure. */

/** What went wrong, for callers that react differently to each. */
export type DataErrorReason =
  | "missing"
  | "truncated"
  | "invalid"
  | "digest"
  | "offline"
  | "not-found"
  | "refused"
  | "no-space"
  | "input-output"

export class DataError extends Error {
  readonly _tag = "DataError"
  readonly reason: DataErrorReason
  /** File or URL the sentence is about. */
  readonly subject: string

  constructor(reason: DataErrorReason, subject: string, message: string, cause?: unknown) {
    super(`${subject}: ${message}`, cause === undefined ? undefined : { cause })
    this.name = "DataError"
    this.reason = reason
    this.subject = subject
  }
}

/** Spec and data do not fit each other: a wrong use, which ends with exit code 2. */
export class DataMismatch extends DataError {
  readonly exitCode = 2
}

/** A file is not the one that the spec states. */
export const digestMismatch = (path: string, where: string, stated: string, found: string): DataMismatch =>
  new DataMismatch(
    "digest",
    path,
    `its SHA-256 is ${found}, but ${where} states ${stated}; give the file that the spec means, or correct the digest if this file is meant.`,
  )

/** Code of a Node system error, such as ENOSPC. */
export const systemCode = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined

const misplaced = (error: unknown, subject: string, what: string): DataError =>
  new DataError("input-output", subject, `${what}; correct the path or choose another place.`, error)

/** A system error as a sentence with a cure; a {@link DataError} passes through unchanged. */
export const fromSystemError = (error: unknown, subject: string, doing: string): DataError => {
  if (error instanceof DataError) return error
  switch (systemCode(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return new DataError(
        "no-space",
        subject,
        `the disk is full while ${doing}; free some space or choose another place, then run the command again.`,
        error,
      )
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return new DataError(
        "refused",
        subject,
        `permission was denied while ${doing}; make it accessible to you or choose another place.`,
        error,
      )
    case "ENOENT":
      return new DataError(
        "missing",
        subject,
        `there is no such file (${doing}); check the path or prepare the data first.`,
        error,
      )
    case "ENOTDIR":
    case "EEXIST":
      return misplaced(error, subject, `a file stands where a folder is needed while ${doing}`)
    case "EISDIR":
      return misplaced(error, subject, `a folder stands where a file is needed while ${doing}`)
    case "ELOOP":
      return misplaced(error, subject, `symbolic links lead in a circle while ${doing}`)
    case "ENAMETOOLONG":
      return misplaced(error, subject, `a name is longer than the file system holds while ${doing}`)
    default:
      return new DataError(
        "input-output",
        subject,
        `failed while ${doing}: ${error instanceof Error ? error.message : String(error)}.`,
        error,
      )
  }
}
