/** From evidence to the sums that the results table is made of. Nothing is measured here. */
import type { SafetensorsFile } from "../data/safetensors.js"
import { parseEvidenceHeader, type EvidenceHeader } from "../evaluate/evidence.js"
import { enumerativeWindowBits } from "../metric/boundary.js"
import { buildByteTable, countBytes, type ByteTable } from "../metric/byte-table.js"
import { discreteElbo } from "../metric/elbo.js"
import type { EvaluationSummary, WindowSums } from "./language-model.js"

interface Windows {
  readonly header: EvidenceHeader
  readonly count: number
  readonly length: number
  readonly tokens: Int32Array
  readonly previous: Int32Array
  readonly table: ByteTable
}

const tensor = <T>(file: SafetensorsFile, name: string, subject: string): T => {
  const found = file.tensors.get(name)
  if (found === undefined)
    throw new Error(`${subject}: the tensor ${name} is missing; evaluate the run again`)
  return found.data as T
}

const openWindows = (file: SafetensorsFile, subject: string): Windows => {
  const header = parseEvidenceHeader(file.metadata, subject)
  const [count, length] = file.tensors.get("tokens")!.shape as [number, number]
  const { maskId, padId, vocabSize, pieces } = header.tokenizer
  return {
    header,
    count,
    length,
    tokens: tensor<Int32Array>(file, "tokens", subject),
    previous: tensor<Int32Array>(file, "previous", subject),
    // MASK and PAD are rows beyond the pieces: no bytes.
    table: buildByteTable(pieces, Math.max(maskId + 1, padId + 1, vocabSize)),
  }
}

/** Sums of one window that do not depend on the estimator. */
const windowCounts = ({ header, length, tokens, previous, table }: Windows, w: number) => {
  const { padId, boundaryId } = header.tokenizer
  const row = tokens.subarray(w * length, (w + 1) * length)
  const pads = row.reduce((n, token) => n + (token === padId ? 1 : 0), 0)
  const boundaries = row.reduce((n, token) => n + (token === boundaryId ? 1 : 0), 0)
  return {
    content: length - pads,
    boundaries,
    bytes: countBytes(table, row.subarray(0, length - pads), { previous: previous[w]! }),
  }
}

/** What one evaluation measured, summed from its evidence file. `dataset` names the data in contracts. */
export const summarise = (file: SafetensorsFile, subject: string, dataset: string): EvaluationSummary => {
  const windows = openWindows(file, subject)
  const { header, count, length } = windows
  const counts = Array.from({ length: count }, (_, w) => windowCounts(windows, w))
  const total = (of: (c: (typeof counts)[number]) => number): number =>
    counts.reduce((sum, c) => sum + of(c), 0)
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
  }))
  return {
    evaluationId: header.evaluation.id,
    evaluation: header.evaluation,
    context: {
      dataset,
      split: header.split.name,
      slice: `the first ${header.split.windows} of ${header.split.available} windows of ${length} tokens`,
      coverage: header.split.windows / header.split.available,
      export: header.split.digests.join(","),
      tokenizer: { id: header.tokenizer.id, digest: header.tokenizer.digest },
      boundary: header.objective.boundary,
      ...(header.objective.eps === null ? {} : { eps: header.objective.eps }),
      precision: header.executor.precision === "fp32" ? "fp32" : "bf16",
      selection: "last-checkpoint",
    },
    bits: measured.bits,
    terminalBits: measured.terminalBits,
    tokens,
    maskableTokens: free ? tokens - boundaryTokens : tokens,
    bytes: total((c) => c.bytes),
    perWindow,
    boundaryTokens,
    boundaryBits: free
      ? counts.reduce((sum, c) => sum + enumerativeWindowBits(c.content, c.boundaries), 0)
      : null,
    ...(measured.monteCarloVariance === undefined ? {} : { monteCarloVariance: measured.monteCarloVariance }),
  }
}

interface Bits {
  readonly bits: number
  readonly terminalBits: number
  readonly perWindowBits: ArrayLike<number>
  readonly monteCarloVariance: number | undefined
}

const bitsOf = (
  file: SafetensorsFile,
  { header, count }: Windows,
  content: readonly number[],
  subject: string,
): Bits => {
  const { evaluation } = header
  switch (evaluation.kind) {
    case "discrete-elbo":
      return discreteElbo({
        windows: count,
        steps: evaluation.steps,
        draws: evaluation.draws,
        alphas: tensor<Float64Array>(file, "alphas", subject),
        nats: tensor<Float64Array>(file, "nats", subject),
        masked: tensor<Int32Array>(file, "masked", subject),
        content: Int32Array.from(content),
        vocabSize: header.tokenizer.vocabSize,
      })
    default:
      throw new Error(`${subject}: evidence of kind ${evaluation.kind} is not read by this version`)
  }
}
