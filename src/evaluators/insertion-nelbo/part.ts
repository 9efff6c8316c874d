/** The code length of a network that inserts its tokens: length included, with averaged targets. */
import * as Schema from "effect/Schema"
import { estimateCodeLength } from "../../diffusion/insertion/code-length.js"
import { codeLengthContract, withLengths } from "../../metric/contract/builders.js"
import { NOT_STATED, type Contract } from "../../metric/contract/contract.js"
import { PAGE_WINDOWS } from "../../metric/contract/page-context.js"
import { Count } from "../../spec/common.js"
import { EvaluationId, Seed, Windows } from "../../spec/windows.js"
import { contentFreeFloor } from "../../diffusion/insertion/floor.js"
import { DEFINITIONS } from "../../metric/contract/registry.js"
import { bootstrapRatio } from "../../metric/statistics/bootstrap.js"
import { codeLengthSummary } from "../code-length.js"
import type { EvidenceFile } from "../evidence.js"
import type { ItemFigure, ItemSummary } from "../summary.js"
import { openWindows, targetsOf, tensorOf, windowReferences } from "../targets.js"
import { trainedLength, windowCost, type EvaluatorPart } from "../part.js"

export const InsertionNelbo = Schema.Struct({
  kind: Schema.Literal("insertion-nelbo"),
  id: EvaluationId,
  windows: Windows,
  strata: Count.annotate({ description: "Equal parts of the time, in each of which times are drawn." }),
  draws: Count.annotate({ description: "Times and states drawn in each part, for each window." }),
  seed: Seed,
}).annotate({
  description:
    "Upper bound on the code length of variable-length masked diffusion, the length included: the divergence of the paths of data and model, with targets averaged over all embeddings of a state.",
})
export type InsertionNelbo = typeof InsertionNelbo.Type

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length

/** 95 % over rows, of a mean of nats over `length` positions each. */
const intervalOf = (nats: readonly number[], length: number): ItemFigure["interval"] => {
  if (nats.length < 2) return null
  const { low, high, level, method } = bootstrapRatio(
    nats.map((numerator) => ({ numerator, denominator: length })),
  )
  return { low, high, level, method }
}

const UNSTATED_DATA = {
  slice: NOT_STATED,
  coverage: NOT_STATED,
  export: NOT_STATED,
} as const

/**
 * The published validation loss of the same states, as its code prints it: nats over the positions of the canvas. Beside
 * it what it cannot go below on text without content, where every token is the same.
 */
const publishedLoss = (file: EvidenceFile, subject: string, dataset: string): ItemSummary => {
  const windows = openWindows(file, subject)
  const { header, count, length } = windows
  const { id, strata, draws } = header.evaluation as unknown as InsertionNelbo
  const insert = tensorOf<Float64Array>(file, "publishedInsert", subject)
  const unmask = tensorOf<Float64Array>(file, "publishedUnmask", subject)
  const each = strata * draws
  const tokens = new Int32Array(count)
  for (const target of targetsOf(file, windows)) tokens[Math.floor(target / length)]!++
  const losses = Array.from(tokens, (_, w) => {
    let sum = 0
    for (let k = w * each; k < (w + 1) * each; k++) sum += insert[k]! + unmask[k]!
    return sum / each
  })
  const floor = mean(Array.from(tokens, contentFreeFloor))
  const nats = mean(losses)
  const contract: Contract = {
    ...DEFINITIONS["training-loss"],
    title: "Published FlexMDM validation loss",
    description:
      "Hazard-weighted cross-entropy and divergence of gaps given which tokens survive, over all positions of the canvas, padding included.",
    estimator: { kind: "training-objective", weight: "other" },
    denominator: {
      kind: "tokens",
      tokens: count * length,
      source: "positions of the canvas, prompt and padding included",
    },
    data: { ...UNSTATED_DATA, dataset, split: header.split.name },
  }
  const figure = (
    name: string,
    label: string,
    values: readonly number[],
    note: string,
    bound: Contract["bound"],
  ): ItemFigure => ({
    name,
    label,
    contract: { ...contract, bound },
    value: mean(values) / length,
    interval: intervalOf(values, length),
    notes: [note],
    published: true,
  })
  return {
    evaluationId: id,
    evaluation: header.evaluation,
    item: "window",
    items: count,
    figures: [
      figure(
        "published-loss",
        "published validation loss",
        losses,
        `${nats.toFixed(3)} nats a row. A loose bound: it is conditioned on which tokens survive, so it is no code length, no perplexity and no bits per byte.`,
        "upper-bound",
      ),
      figure(
        "content-free-floor",
        "floor of the published loss on text without content",
        Array.from(tokens, contentFreeFloor),
        `${floor.toFixed(3)} nats a row: what the insertion term keeps for rows of these lengths when every token is the same and the length is known, so that the code length is 0.`,
        "exact",
      ),
      ...knownFloor(file, subject, { count, each }).map(({ insert: slots, unmask: masks }) =>
        figure(
          "known-floor",
          "floor of the published loss of a network that knows the row",
          slots.map((nats_, w) => nats_ + masks[w]!),
          `${(mean(slots) + mean(masks)).toFixed(3)} nats a row, ${mean(slots).toFixed(3)} of gaps and ${mean(masks).toFixed(3)} of masks, on the same states: which tokens survive stays unknown.`,
          "estimate",
        ),
      ),
    ],
  }
}

/** Means over the states of each row; none in evidence that was written without. */
const knownFloor = (
  file: EvidenceFile,
  subject: string,
  { count, each }: { readonly count: number; readonly each: number },
): readonly { readonly insert: readonly number[]; readonly unmask: readonly number[] }[] => {
  if (!file.tensors.has("floorInsert")) return []
  const rows = (name: string): readonly number[] => {
    const values = tensorOf<Float64Array>(file, name, subject)
    return Array.from({ length: count }, (_, w) =>
      mean(Array.from(values.subarray(w * each, (w + 1) * each))),
    )
  }
  return [{ insert: rows("floorInsert"), unmask: rows("floorUnmask") }]
}

export const insertionNelbo: EvaluatorPart<InsertionNelbo> = {
  kind: "insertion-nelbo",
  schema: InsertionNelbo,
  needs: "inserting",
  wholeDocuments: true,
  rules: [trainedLength],
  cost: (evaluation) => windowCost(evaluation, evaluation.strata * evaluation.draws),
  contract: ({ windows, strata, draws }, context) => {
    const contract = codeLengthContract(
      {
        windows,
        bound: "upper-bound",
        estimator: { kind: "continuous-elbo", draws: strata * draws, eps: 0 },
        mayShowBoundaries: true,
      },
      context,
    )
    return withLengths(contract, "absent")
  },
  words: ({ strata, draws }) => `insertion NELBO, ${strata * draws} states`,
  headline: () => true,
  summarise: (file, subject, dataset) => [
    codeLengthSummary<InsertionNelbo>(
      file,
      subject,
      dataset,
      ({ evaluation, windows: { count }, tensors }) => {
        const [insert, unmask] = [tensors.floats("insert"), tensors.floats("unmask")]
        const each = evaluation.strata * evaluation.draws
        const estimates = Array.from({ length: count }, (_, w) =>
          estimateCodeLength(
            Float64Array.from({ length: each }, (__, k) => insert[w * each + k]! + unmask[w * each + k]!),
            evaluation.strata,
          ),
        )
        const perWindowBits = estimates.map(({ nats }) => nats / Math.LN2)
        const variances = estimates.map(({ variance }) => variance)
        return {
          bits: perWindowBits.reduce((a, b) => a + b, 0),
          perWindowBits,
          monteCarloVariance: variances.includes(undefined)
            ? undefined
            : variances.reduce<number>((sum, v) => sum + v!, 0) / Math.LN2 ** 2,
        }
      },
    ),
    publishedLoss(file, subject, dataset),
  ],
  references: (file, subject) => ({ ...windowReferences(file, subject), lengths: "coded" }),
  pages: [
    {
      id: "insertion-nelbo",
      title: "Code length of variable-length masked diffusion",
      formula: [
        "E over t ~ U(0,1), x_t of [ h_a(t) sum over slots of phi(mean gap, g) + h_b(t) sum over masks of KL(q, f) ]",
        "phi(x, y) = y - x + x ln(x/y); h = alpha'/(1 - alpha); gaps and q averaged over all embeddings of x_t into x_1",
      ],
      text: "An upper bound, in expectation over draws, on the negative log-likelihood of the text together with its length. Slots around a run of masks are added up: they lead to the same state.",
      hazards: [
        "The published training loss is conditioned on which tokens survive: it is the same kind of bound and far looser.",
        "The weights grow without bound towards t = 1, so that few draws estimate it badly.",
        "Models of fixed length are given the length; this one is charged for it.",
      ],
      citations: ["Kim et al. 2025, Any-Order Flexible Length Masked Diffusion, arXiv 2509.01025"],
      example: { kind: "insertion-nelbo", windows: PAGE_WINDOWS, strata: 16, draws: 2, seed: 0 },
    },
  ],
}
