/** From evidence to the sums that the results table is made of. Nothing is measured here. */
import type { SafetensorsFile } from "../files/safetensors.js"
import type { EvidenceHeader } from "../evaluators/evidence.js"
import {
  accountOf,
  distinct,
  openWindows,
  targetBytes,
  targetsOf,
  tensorOf,
  type EvidenceWindows,
} from "../evaluators/targets.js"
import { enumerativeWindowBits } from "../metric/code/boundary.js"
import { anyOrder } from "../metric/code/any-order.js"
import { blockBound } from "../metric/code/block.js"
import { chainRule } from "../metric/code/chain-rule.js"
import { discreteElbo } from "../metric/code/elbo.js"
import { importanceBound } from "../metric/code/importance.js"
import type { EvaluationSummary, WindowSums } from "./language-model.js"

interface Counts {
  /** Tokens scored, boundary tokens included; PAD never counts, and a target that was scored twice counts twice. */
  readonly content: number
  readonly boundaries: number
  readonly bytes: number
}

/** Sums of every window that do not depend on the estimator. */
const windowCounts = (windows: EvidenceWindows, targets: Int32Array): readonly Counts[] => {
  const { header, count, length, tokens } = windows
  const [content, boundaries, bytes] = [new Int32Array(count), new Int32Array(count), new Float64Array(count)]
  for (const target of targets) {
    const w = Math.floor(target / length)
    content[w]!++
    if (tokens[target] === header.tokenizer.boundaryId) boundaries[w]!++
    bytes[w]! += targetBytes(windows, target)
  }
  return Array.from({ length: count }, (_, w) => ({
    content: content[w]!,
    boundaries: boundaries[w]!,
    bytes: bytes[w]!,
  }))
}

const sliceOf = ({ evaluation, split }: EvidenceHeader, length: number): string =>
  evaluation.windows.alignment === "document-chunks"
    ? `the first ${split.windows} of ${split.available} document chunks of at most ${length} tokens`
    : `the first ${split.windows} of ${split.available} windows of ${length} tokens`

/** What one evaluation measured, summed from its evidence file. `dataset` names the data in contracts. */
export const summarise = (file: SafetensorsFile, subject: string, dataset: string): EvaluationSummary => {
  const windows = openWindows(file, subject)
  const { header, length } = windows
  const targets = targetsOf(file, windows)
  const counts = windowCounts(windows, targets)
  const text = accountOf(windows, targets)
  const scored = distinct(targets).length
  const total = (of: (c: Counts) => number): number => counts.reduce((sum, c) => sum + of(c), 0)
  const tokens = total((c) => c.content)
  const boundaryTokens = total((c) => c.boundaries)
  const free = header.objective.boundary === "free"
  const measured = bitsOf(
    file,
    windows,
    counts.map((c) => c.content),
    subject,
  )
  const perWindow: WindowSums[] = counts.map((c, w) => ({
    bits: measured.perWindowBits[w]!,
    bytes: c.bytes,
    tokens: c.content,
    ...(free ? { boundaryBits: enumerativeWindowBits(c.content, c.boundaries) } : {}),
  }))
  return {
    evaluationId: header.evaluation.id,
    evaluation: header.evaluation,
    context: {
      dataset,
      split: header.split.name,
      slice: sliceOf(header, length),
      // Earlier versions took windows for tokens; what they measured keeps its contract.
      coverage:
        header.split.leftOut === undefined
          ? header.split.windows / header.split.available
          : scored / header.split.tokens,
      export: header.split.digests.join(","),
      tokenizer: { id: header.tokenizer.id, digest: header.tokenizer.digest },
      boundary: header.objective.boundary,
      ...(header.objective.eps === null ? {} : { eps: header.objective.eps }),
      precision: header.executor.precision === "fp32" ? "fp32" : "bf16",
      selection: "last-checkpoint",
    },
    bits: measured.bits,
    terminalBits: measured.terminalBits ?? 0,
    tokens,
    maskableTokens: free ? tokens - boundaryTokens : tokens,
    bytes: total((c) => c.bytes),
    perWindow,
    ...(text === undefined ? {} : { text }),
    scored: {
      targets: scored,
      split: header.split.tokens,
      ...(header.split.leftOut === undefined ? {} : { leftOut: header.split.leftOut }),
    },
    boundaryTokens,
    boundaryBits: free ? perWindow.reduce((sum, w) => sum + (w.boundaryBits ?? 0), 0) : null,
    ...(measured.monteCarloVariance === undefined ? {} : { monteCarloVariance: measured.monteCarloVariance }),
    ...tiesOf(file, header),
    forwards: header.forwards,
    seconds: header.seconds,
  }
}

/** The ties of an order that the network chose. The last position of a window leads by infinity and is no choice. */
const tiesOf = (file: SafetensorsFile, { tieNats }: EvidenceHeader): Pick<EvaluationSummary, "ties"> => {
  const margin = file.tensors.get("margin")?.data as Float64Array | undefined
  const rank = file.tensors.get("rank")?.data as Int32Array | undefined
  if (margin === undefined || rank === undefined) return {}
  const leads = margin.filter((lead, i) => rank[i]! >= 0 && Number.isFinite(lead))
  const count = tieNats === undefined ? 0 : leads.filter((lead) => lead <= tieNats).length
  return { ties: { count, choices: leads.length, nats: tieNats ?? null } }
}

/**
 * The same, and for an importance-weighted measurement of K orders also its bounds of 1, 2, 4, .. orders: means over
 * disjoint groups of the very same orders, so that they fall with K in every window.
 */
export const summariseAll = (
  file: SafetensorsFile,
  subject: string,
  dataset: string,
): readonly EvaluationSummary[] => {
  const whole = summarise(file, subject, dataset)
  const { evaluation, evaluationId, perWindow, forwards, seconds } = whole
  if (evaluation.kind !== "importance-weighted") return [whole]
  const paths = evaluation.samples
  const nats = tensorOf<Float64Array>(file, "nats", subject)
  const smaller: EvaluationSummary[] = []
  for (let samples = 1; samples < paths; samples *= 2) {
    if (paths % samples !== 0) break
    const bound = importanceBound({ windows: perWindow.length, paths, nats, samples })
    const share = samples / paths
    smaller.push({
      ...whole,
      evaluationId: `${evaluationId}.k${samples}`,
      evaluation: { ...evaluation, samples },
      bits: bound.bits,
      perWindow: perWindow.map((window, w) => ({ ...window, bits: bound.perWindowBits[w]! })),
      ...(bound.monteCarloVariance === undefined ? {} : { monteCarloVariance: bound.monteCarloVariance }),
      // What this bound alone would cost; that it was measured more often lowers its noise.
      ...(forwards === undefined ? {} : { forwards: forwards * share }),
      ...(seconds === undefined ? {} : { seconds: seconds * share }),
    })
  }
  return [...smaller, whole]
}

interface Bits {
  readonly bits: number
  readonly terminalBits?: number
  readonly perWindowBits: ArrayLike<number>
  readonly monteCarloVariance?: number | undefined
}

/** Nats of the revealed tokens of every window in the order of revelation, for the chain rule. */
const revealedNats = (
  rank: Int32Array,
  nats: Float64Array,
  count: number,
  length: number,
): { readonly offsets: Int32Array; readonly nats: Float64Array } => {
  const offsets = new Int32Array(count + 1)
  for (let w = 0; w < count; w++) {
    const revealed = rank.subarray(w * length, (w + 1) * length).filter((r) => r >= 0).length
    offsets[w + 1] = offsets[w]! + revealed
  }
  const ordered = new Float64Array(offsets[count]!)
  rank.forEach((r, i) => {
    if (r >= 0) ordered[offsets[Math.floor(i / length)]! + r] = nats[i]!
  })
  return { offsets, nats: ordered }
}

/** Bits of listed targets, window by window. */
const targetBits = (scored: Int32Array, nats: Float64Array, count: number, length: number): Bits => {
  const perWindowBits = new Float64Array(count)
  scored.forEach((target, i) => (perWindowBits[Math.floor(target / length)]! += nats[i]! / Math.LN2))
  return { bits: perWindowBits.reduce((sum, bits) => sum + bits, 0), perWindowBits }
}

const bitsOf = (
  file: SafetensorsFile,
  { header, count, length }: EvidenceWindows,
  content: readonly number[],
  subject: string,
): Bits => {
  const { evaluation } = header
  const nats = tensorOf<Float64Array>(file, "nats", subject)
  const ints = (name: string): Int32Array => tensorOf<Int32Array>(file, name, subject)
  switch (evaluation.kind) {
    case "discrete-elbo":
      return discreteElbo({
        windows: count,
        steps: evaluation.steps,
        draws: evaluation.draws,
        alphas: tensorOf<Float64Array>(file, "alphas", subject),
        nats,
        masked: ints("masked"),
        content: Int32Array.from(content),
        vocabSize: header.tokenizer.vocabSize,
      })
    case "any-order":
      return anyOrder({
        windows: count,
        draws: evaluation.draws,
        maskable: ints("maskable"),
        masked: ints("masked"),
        nats,
      })
    case "block-nelbo":
      return blockBound({
        windows: count,
        blocks: Math.ceil(length / evaluation.block),
        draws: evaluation.draws,
        maskable: ints("maskable"),
        masked: ints("masked"),
        nats,
      })
    case "chain-rule":
      return chainRule(revealedNats(ints("rank"), nats, count, length))
    case "importance-weighted":
      return importanceBound({ windows: count, paths: evaluation.samples, nats })
    case "sliding":
    case "autoregressive":
      return targetBits(ints("scored"), nats, count, length)
  }
}
