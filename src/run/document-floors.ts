/** What floors charge of windows that are whole documents: their ends, since the length is part of what is coded. */
import type { Tokens } from "../data/rows/tokens.js"
import { corpusPart } from "../data/corpora/index.js"
import type { EvidenceWindows } from "../evaluators/targets.js"
import type { Experiment } from "../spec/experiment.js"

/** The ids that say where a document ends and its prompt does. */
type Marks = Pick<Experiment["data"]["tokenizer"], "boundaryId" | "separatorId">

/**
 * Places in the split of the boundary behind each document, where the last token of its row is followed by one. Of a
 * document without a target, whose rows leave the separator out, the separator comes between.
 */
export const documentEnds = (
  { places, starts, count, length }: Pick<EvidenceWindows, "places" | "starts" | "count" | "length">,
  split: Tokens,
  { boundaryId, separatorId }: Marks,
): Int32Array => {
  if (places === undefined) return new Int32Array()
  const ends: number[] = []
  for (let w = 0; w < count; w++) {
    const first = starts[w]!
    const row: Int32Array = places.subarray(w * length, (w + 1) * length)
    const next: number = (row.findLast((place) => place >= 0) ?? first - 1) + 1
    const leftOut =
      separatorId !== undefined &&
      split[next] === separatorId &&
      !split.subarray(first, next).includes(separatorId)
    const end = leftOut ? next + 1 : next
    if (split[end] === boundaryId) ends.push(end)
  }
  return Int32Array.from(ends)
}

/**
 * Bits that the source itself needs for the documents of some windows: no model needs fewer on average. Undefined where
 * the source has no known law, or a window is a part of a document.
 */
export const sourceBits = (
  {
    places,
    starts,
    tokens,
    count,
    length,
  }: Pick<EvidenceWindows, "places" | "starts" | "tokens" | "count" | "length">,
  targets: Int32Array,
  split: Tokens,
  { corpus, tokenizer }: Experiment["data"],
): number | undefined => {
  const { sourceNats } = corpusPart(corpus)
  if (places === undefined || sourceNats === undefined) return undefined
  if (documentEnds({ places, starts, count, length }, split, tokenizer).length < count) return undefined
  const documents = Array.from({ length: count }, (): number[] => [])
  for (const target of targets) documents[Math.floor(target / length)]!.push(tokens[target]!)
  const nats = documents.map((document) => sourceNats(corpus, document))
  return nats.includes(undefined) ? undefined : nats.reduce<number>((sum, each) => sum + each!, 0) / Math.LN2
}
