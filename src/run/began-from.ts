/** What a run began from, as its manifest holds it. */

/** The run whose final weights it began with. */
export interface ParentRun {
  /** Id of the run, beside this one. */
  readonly run: string
  readonly spec: string
  readonly profile: string
  readonly fingerprint: string
  /** Optimiser steps behind the weights. */
  readonly step: number
}

export interface BeganFrom {
  /** Absent for weights made elsewhere. */
  readonly parent?: ParentRun
  /** Every file that weights were taken from, nearest stage first. */
  readonly files: readonly { readonly file: string; readonly sha256: string }[]
  /** Digest of what the frozen parameters are; absent where none is frozen. */
  readonly base?: string
}

/** Why what a run began from is not what there is now, as clauses; empty where it is. */
export const beginningChanges = (
  before: BeganFrom | undefined,
  now: BeganFrom | undefined,
): readonly string[] => {
  if (before === undefined && now === undefined) return []
  if (before === undefined || now === undefined)
    return [`it ${before === undefined ? "drew its weights" : "began from other weights"}`]
  const shown = ({ file, sha256 }: { readonly file: string; readonly sha256: string }): string =>
    `${file} (sha256 ${sha256.slice(0, 12)})`
  const changed = before.files.flatMap((was, i) => {
    const is = now.files[i]
    return is?.sha256 === was.sha256
      ? []
      : [
          `it began with ${shown(was)}${before.parent === undefined || i > 0 ? "" : ` of the run ${before.parent.run}`}, and that is now ${is === undefined ? "gone" : shown(is)}`,
        ]
  })
  return changed.length === 0 && before.base !== now.base
    ? ["its frozen weights are not those that there are now"]
    : changed
}
