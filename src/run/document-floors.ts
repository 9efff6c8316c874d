/** What floors charge of windows that are whole documents: their ends, since the length is part of what is coded. */
import type { Tokens } from "../data/rows/tokens.js"
import { corpusPart } from "../data/corpora/index.js"
import type { EvidenceWindows } from "../evaluators/targets.js"
import type { Experiment } from "../spec/experiment.js"

/** Places in the split of the boundary behind each document, where its last target is followed by one. */
export const documentEnds = (
  { places, count, length }: Pick<EvidenceWindows, "places" | "count" | "length">,
  split: Tokens,
  boundaryId: number,
): Int32Array => {
  if (places === undefined) return new Int32Array()
  const ends: number[] = []
  for (let w = 0; w < count; w++) {
    const last = places.subarray(w * length, (w + 1) * length).findLast((place) => place >= 0)
    if (last !== undefined && split[last + 1] === boundaryId) ends.push(last + 1)
  }
  return Int32Array.from(ends)
}

/**
 * Bits that the source itself needs for the documents of some windows: no model needs fewer on average. Undefined where
 * the source has no known law, or a window is a part of a document.
 */
export const sourceBits = (
  { places, tokens, count, length }: Pick<EvidenceWindows, "places" | "tokens" | "count" | "length">,
  targets: Int32Array,
  split: Tokens,
  { corpus, tokenizer }: Experiment["data"],
): number | undefined => {
  const { sourceNats } = corpusPart(corpus)
  if (places === undefined || sourceNats === undefined) return undefined
  if (documentEnds({ places, count, length }, split, tokenizer.boundaryId).length < count) return undefined
  const documents = Array.from({ length: count }, (): number[] => [])
  for (const target of targets) documents[Math.floor(target / length)]!.push(tokens[target]!)
  const nats = documents.map((document) => sourceNats(corpus, document))
  return nats.includes(undefined) ? undefined : nats.reduce<number>((sum, each) => sum + each!, 0) / Math.LN2
}
