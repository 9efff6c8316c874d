/** Figures of a judge's nats: generative perplexity in the three published reductions, and entropy of its tokens. */
import {
  generativePerplexity,
  REDUCTIONS,
  type Judged,
  type Reduction,
} from "../../metric/samples/generative-perplexity.js"
import { frequencyEntropy, unigramEntropy } from "../../metric/samples/unigram-entropy.js"
import type { EvidenceFile, EvidenceHeader } from "../evidence.js"
import type { ItemFigure } from "../summary.js"
import { ofMean, resampled, type Make } from "./make.js"

/** Names of the tensors of texts, or of chunks, in evidence. */
export const judgedNames = (unit: "text" | "chunk") => ({
  tokens: `judge/${unit}/tokens`,
  lengths: `judge/${unit}/lengths`,
  nats: `judge/${unit}/nats`,
  scored: `judge/${unit}/scored`,
  cut: `judge/${unit}/cut`,
})

export interface JudgedEvidence {
  readonly judge: NonNullable<EvidenceHeader["judge"]>
  readonly texts: readonly ArrayLike<number>[]
  readonly chunks: readonly ArrayLike<number>[]
  /** Judge's tokens of each text. */
  readonly tokens: readonly (readonly number[])[]
  /** Texts of which the judge's row holds a part alone. */
  readonly cut: number
}

const pieces = (file: EvidenceFile, values: string, counts: string): readonly (readonly number[])[] => {
  const all = Array.from(file.tensors.get(values)?.data as ArrayLike<number>)
  let from = 0
  return Array.from(file.tensors.get(counts)?.data as ArrayLike<number>, (count) =>
    all.slice(from, (from += count)),
  )
}

/** What a judge said of the texts of evidence; undefined where none did. */
export const judgedIn = (file: EvidenceFile, header: EvidenceHeader): JudgedEvidence | undefined => {
  const { judge } = header
  if (judge === undefined) return undefined
  const [text, chunk] = [judgedNames("text"), judgedNames("chunk")]
  return {
    judge,
    texts: pieces(file, text.nats, text.scored),
    chunks: pieces(file, chunk.nats, chunk.scored),
    tokens: pieces(file, text.tokens, text.lengths),
    cut: Array.from(file.tensors.get(text.cut)?.data as ArrayLike<number>).filter((each) => each > 0).length,
  }
}

const LABELS: Readonly<Record<Reduction, string>> = {
  "mean-of-perplexities": "generative perplexity, mean over texts",
  corpus: "generative perplexity, all tokens",
  chunks: "generative perplexity, mean over chunks",
}

const intervalOf = (
  { nats }: Pick<Judged, "nats">,
  reduction: Reduction,
  judgeDigest: string,
): ItemFigure["interval"] => {
  const scored = nats.filter(({ length }) => length > 0)
  const unit = reduction === "chunks" ? "chunk" : "text"
  if (reduction !== "corpus")
    return ofMean(
      scored.map((each) => generativePerplexity({ judgeDigest, unit, nats: [each] }, reduction).perplexity),
      `${unit}s`,
    )
  const sums = scored.map((each) => [Array.from(each).reduce((a, b) => a + b, 0), each.length] as const)
  return resampled(sums, (drawn) =>
    Math.exp(drawn.reduce((n, [sum]) => n + sum, 0) / drawn.reduce((n, [, length]) => n + length, 0)),
  )
}

const nats = (value: number): string => `${value.toFixed(3)} nats (${(value / Math.LN2).toFixed(3)} bits)`

/**
 * @param generated tokens of each text by the generator, whose entropy is told beside every value
 */
export const judgedFigures = (
  make: Make,
  { judge, texts, chunks, tokens, cut }: JudgedEvidence,
  generated: readonly (readonly number[])[],
): readonly ItemFigure[] => {
  const tokenizer = { id: judge.tokenizer.id, digest: judge.tokenizer.digest }
  const spoken = tokens.filter(({ length }) => length > 0)
  const own = generated.filter(({ length }) => length > 0)
  const entropies = [
    ...(own.length === 0 ? [] : [`${nats(unigramEntropy(own).perText)} by the generator's tokens`]),
    ...(spoken.length === 0 ? [] : [`${nats(unigramEntropy(spoken).perText)} by the judge's`]),
  ]
  const { digest: judgeDigest } = judge
  const about = `Judge ${judge.spec}, profile ${judge.profile}, weights sha256 ${judgeDigest.slice(0, 12)}, tokenizer ${tokenizer.id} sha256 ${tokenizer.digest.slice(0, 12)}, rows of ${judge.window}${judge.begin === "boundary" ? ", opened by its boundary token" : ""}.`
  const perplexities = REDUCTIONS.map((reduction): ItemFigure => {
    const unit = reduction === "chunks" ? "chunk" : "text"
    const judged: Judged = { judgeDigest, unit, nats: unit === "chunk" ? chunks : texts }
    const meaning = {
      quantity: "generative-perplexity",
      unit: "ppl",
      tokenizer,
      reduction: reduction === "corpus" ? "exponential-of-mean" : "mean-of-exponentials",
      grader: `judge ${judge.fingerprint} ${judgeDigest}`,
    } as const
    const name = `generative-perplexity-${reduction}`
    try {
      const found = generativePerplexity(judged, reduction)
      const left = found.left === 0 ? "" : `, ${found.left} without a scored token left out`
      return make(name, LABELS[reduction], meaning, found.perplexity, {
        interval: intervalOf(judged, reduction, judgeDigest),
        notes: [
          `${texts.length} texts, unfiltered: ${found.scored} ${unit}s and ${found.tokens} judge tokens scored${left}${cut === 0 || unit === "chunk" ? "" : `; ${cut} cut at the judge's row`}. Entropy within a text ${entropies.join(", ")}. ${about}`,
        ],
      })
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      return make(name, LABELS[reduction], meaning, null, { notes: [`Not computed: ${error.message}`] })
    }
  })
  if (spoken.length === 0) return perplexities
  const each = spoken.map(frequencyEntropy)
  const interval = ofMean(each)
  const label = "unigram entropy within a text, judge's tokens"
  const entropy = (name: string, unit: "nats" | "bits", by: number): ItemFigure =>
    make(name, label, { quantity: "entropy", unit, tokenizer }, unigramEntropy(spoken).perText / by, {
      interval: interval && { ...interval, low: interval.low / by, high: interval.high / by },
      notes: [`${spoken.length} texts with a token.`],
    })
  return [
    ...perplexities,
    entropy("entropy-judge", "nats", 1),
    entropy("entropy-judge-bits", "bits", Math.LN2),
  ]
}
