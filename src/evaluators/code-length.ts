/** From evidence of windows to the sums that the results table is made of. Nothing is measured here. */
import { enumerativeWindowBits } from "../metric/code/boundary.js"
import { windowWords } from "../spec/windows.js"
import type { EvidenceFile, EvidenceHeader } from "./evidence.js"
import type { OfWindows } from "./part.js"
import type { EvaluationSummary, WindowSums } from "./summary.js"
import {
  accountOf,
  distinct,
  openWindows,
  targetBytes,
  targetsOf,
  tensorOf,
  type EvidenceWindows,
} from "./targets.js"

export interface Counts {
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

/** Bits of every window, by the estimator. */
export interface WindowBits {
  readonly bits: number
  readonly terminalBits?: number
  readonly perWindowBits: ArrayLike<number>
  readonly monteCarloVariance?: number | undefined
}

/** What an estimator reads of its evidence. */
export interface Measurement<E> {
  readonly evaluation: E
  readonly windows: EvidenceWindows
  readonly counts: readonly Counts[]
  readonly tensors: {
    readonly floats: (name: string) => Float64Array
    readonly ints: (name: string) => Int32Array
  }
}

const sliceOf = ({ evaluation, split }: EvidenceHeader, length: number): string =>
  `the first ${split.windows} of ${split.available} ${windowWords(evaluation.windows.alignment, length)}`

/**
 * What one evaluation measured, summed from its evidence file.
 *
 * @param dataset names the data in contracts
 * @param bitsOf the estimator
 */
export const codeLengthSummary = <E extends OfWindows>(
  file: EvidenceFile,
  subject: string,
  dataset: string,
  bitsOf: (measurement: Measurement<E>) => WindowBits,
): EvaluationSummary => {
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
  const measured = bitsOf({
    evaluation: header.evaluation as unknown as E,
    windows,
    counts,
    tensors: {
      floats: (name) => tensorOf<Float64Array>(file, name, subject),
      ints: (name) => tensorOf<Int32Array>(file, name, subject),
    },
  })
  const perWindow: WindowSums[] = counts.map((c, w) => ({
    bits: measured.perWindowBits[w]!,
    bytes: c.bytes,
    tokens: c.content,
    ...(free ? { boundaryBits: enumerativeWindowBits(c.content, c.boundaries) } : {}),
  }))
  return {
    evaluationId: header.evaluation.id as string,
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
      ...(header.tokenizer.separatorId === undefined ? {} : { prompts: true as const }),
      ...(header.objective.eps === null ? {} : { eps: header.objective.eps }),
      ...(header.objective.textEnd === undefined ? {} : { textEnd: header.objective.textEnd }),
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
const tiesOf = (file: EvidenceFile, { tieNats }: EvidenceHeader): Pick<EvaluationSummary, "ties"> => {
  const margin = file.tensors.get("margin")?.data as Float64Array | undefined
  const rank = file.tensors.get("rank")?.data as Int32Array | undefined
  if (margin === undefined || rank === undefined) return {}
  const leads = margin.filter((lead, i) => rank[i]! >= 0 && Number.isFinite(lead))
  const count = tieNats === undefined ? 0 : leads.filter((lead) => lead <= tieNats).length
  return { ties: { count, choices: leads.length, nats: tieNats ?? null } }
}

/** Bits of listed targets, window by window. */
export const targetBits = ({
  windows: { count, length },
  tensors,
}: Pick<Measurement<unknown>, "windows" | "tensors">): WindowBits => {
  const [scored, nats] = [tensors.ints("scored"), tensors.floats("nats")]
  const perWindowBits = new Float64Array(count)
  scored.forEach((target, i) => (perWindowBits[Math.floor(target / length)]! += nats[i]! / Math.LN2))
  return { bits: perWindowBits.reduce((sum, bits) => sum + bits, 0), perWindowBits }
}
