/** Where a claim's number is from, in words. */

/** Marks of certainty, for the legend. */
export const MARK_WORDS = {
  stated: "a source says it",
  computed: "from public logs or artefacts, with the command",
  derived: "mathematics",
  inferred: "could be wrong",
} as const

/** What a claim's number is: the source's own print, or what this project read or graded, with the ledger's notes. */
export const provenance = ({
  mark,
  place,
  notes = [],
}: {
  readonly mark: keyof typeof MARK_WORDS
  readonly place: { readonly figure?: string | undefined }
  readonly notes?: readonly string[] | undefined
}): string => {
  if (mark === "stated") return "as published"
  const how =
    place.figure !== undefined
      ? "read off the source's figure"
      : mark === "computed"
        ? "computed by this project from the source's files"
        : mark
  return [`not the source's own print: ${how}`, ...notes].join("; ").replace(/\.$/, "")
}
