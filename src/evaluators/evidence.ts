/**
 * Evidence on disk: what one evaluation measured, in one safetensors file, with all that is needed to compute
 * every figure again. Written once; metrics only read it.
 */
import type { StoredTensor } from "../files/safetensors.js"
import type { TextRules } from "../metric/bytes/text-bytes.js"
import type { Evaluation } from "../spec/evaluation.js"
import type { BlockEvidence } from "./blocks.js"
import type { DiscreteElboEvidence } from "./discrete-elbo.js"
import type { OrderEvidence, PathEvidence } from "./orders.js"
import type { StreamEvidence } from "./sliding.js"
import type { LeftOut, ScoredWindows } from "../inference/windows.js"

export const EVIDENCE_FORMAT = "repro-evidence"
export const EVIDENCE_VERSION = 1

/** Pieces of a tokenizer as the byte table needs them. */
export interface EvidencePiece {
  readonly piece: string
  readonly type: "normal" | "unknown" | "control" | "user-defined" | "unused" | "byte"
}

/** Everything about a measurement that is not a tensor. */
export interface EvidenceHeader {
  readonly format: typeof EVIDENCE_FORMAT
  readonly version: typeof EVIDENCE_VERSION
  readonly evaluation: Evaluation
  readonly split: {
    readonly name: string
    /** Tokens of the whole split. */
    readonly tokens: number
    readonly digests: readonly string[]
    /** Windows the split holds; `windows` of them were scored. */
    readonly available: number
    readonly windows: number
    /** Its tokens decode to as many bytes as its source text has; absent where that was not compared. */
    readonly intact?: boolean
    /** What the rule that cuts windows can never score; absent in evidence of earlier versions. */
    readonly leftOut?: LeftOut
  }
  readonly tokenizer: {
    readonly id: string
    readonly digest: string
    readonly vocabSize: number
    readonly boundaryId: number
    readonly maskId: number
    readonly padId: number
    readonly pieces: readonly EvidencePiece[]
    /** How text became pieces; absent in evidence of earlier versions, whose bytes are the published table's. */
    readonly text?: TextRules
  }
  /** Noise schedule and boundary rule, where the evaluation has them. */
  readonly objective: { readonly eps: number | null; readonly boundary: "free" | "maskable" }
  /** Leads up to this many nats are ties, where the network chose the order; absent in evidence of earlier versions. */
  readonly tieNats?: number
  /** Optimiser steps behind the weights; null where it is not known. */
  readonly step: number | null
  readonly executor: { readonly name: string; readonly version: string; readonly precision: string }
  /** Sequences that went through the network, and seconds it took. */
  readonly forwards: number
  readonly seconds: number
}

/** Token id before each window in the split; -1 where there is none. */
export const previousTokens = (split: Uint16Array, windows: ScoredWindows): Int32Array =>
  Int32Array.from(windows.starts, (start) => (start === 0 ? -1 : split[start - 1]!))

/** Token id behind each window in the split; -1 where there is none. PAD is no part of the split. */
export const followingTokens = (
  split: Uint16Array,
  { starts, tokens, length }: ScoredWindows,
  padId: number,
) =>
  Int32Array.from(starts, (start, w) => {
    const row = tokens.subarray(w * length, (w + 1) * length)
    const pad = row.indexOf(padId)
    return split[start + (pad < 0 ? length : pad)] ?? -1
  })

/** What every kind of evidence stores about its windows. */
export const windowTensors = (
  windows: ScoredWindows,
  previous: Int32Array,
): Record<string, StoredTensor> => ({
  tokens: { dtype: "I32", shape: [windows.count, windows.length], data: windows.tokens },
  starts: { dtype: "I32", shape: [windows.count], data: windows.starts },
  previous: { dtype: "I32", shape: [windows.count], data: previous },
})

/** The tensors of a discrete-bound measurement. */
export const discreteElboTensors = (
  evidence: DiscreteElboEvidence,
  previous: Int32Array,
): Record<string, StoredTensor> => {
  const { windows, steps, draws } = evidence
  const shape = [windows.count, steps, draws]
  return {
    ...windowTensors(windows, previous),
    alphas: { dtype: "F64", shape: [steps + 1], data: evidence.alphas },
    nats: { dtype: "F64", shape, data: evidence.nats },
    masked: { dtype: "I32", shape, data: evidence.masked },
    tokenNats: { dtype: "F64", shape: [windows.count, windows.length], data: evidence.tokenNats },
  }
}

/** The tensors of an any-order or block measurement; any-order has one block. */
export const blockTensors = (evidence: BlockEvidence, previous: Int32Array): Record<string, StoredTensor> => {
  const { windows, blocks, draws } = evidence
  const shape = [windows.count, blocks, draws]
  return {
    ...windowTensors(windows, previous),
    maskable: { dtype: "I32", shape: [windows.count, blocks], data: evidence.maskable },
    masked: { dtype: "I32", shape, data: evidence.masked },
    nats: { dtype: "F64", shape, data: evidence.nats },
  }
}

/** The tensors of a chain-rule measurement. */
export const orderTensors = (
  { windows, rank, nats, margin }: OrderEvidence,
  previous: Int32Array,
): Record<string, StoredTensor> => ({
  ...windowTensors(windows, previous),
  rank: { dtype: "I32", shape: [windows.count, windows.length], data: rank },
  nats: { dtype: "F64", shape: [windows.count, windows.length], data: nats },
  ...(margin === undefined
    ? {}
    : { margin: { dtype: "F64", shape: [windows.count, windows.length], data: margin } as const }),
})

/** The tensors of an importance-weighted measurement. */
export const pathTensors = (
  { windows, paths, nats }: PathEvidence,
  previous: Int32Array,
): Record<string, StoredTensor> => ({
  ...windowTensors(windows, previous),
  nats: { dtype: "F64", shape: [windows.count, paths], data: nats },
})

/** The tensors of a sliding or autoregressive measurement: each scored target by its index in `tokens`. */
export const streamTensors = (
  { windows, scored, nats }: StreamEvidence,
  previous: Int32Array,
): Record<string, StoredTensor> => ({
  ...windowTensors(windows, previous),
  scored: { dtype: "I32", shape: [scored.length], data: scored },
  nats: { dtype: "F64", shape: [nats.length], data: nats },
})

/** Metadata of the safetensors file. */
export const evidenceMetadata = (header: EvidenceHeader): Record<string, string> => ({
  evidence: JSON.stringify(header),
})

/** @throws Error when the file is not evidence of a version that this program reads */
export const parseEvidenceHeader = (
  metadata: Readonly<Record<string, string>>,
  subject: string,
): EvidenceHeader => {
  const text = metadata["evidence"]
  const header = text === undefined ? undefined : (JSON.parse(text) as EvidenceHeader)
  if (header?.format !== EVIDENCE_FORMAT)
    throw new Error(`${subject}: this is not evidence of a run; evaluate the run again`)
  if (header.version !== EVIDENCE_VERSION) {
    throw new Error(
      `${subject}: its format is version ${String(header.version)}, this program reads ${EVIDENCE_VERSION}; use the version of repro that wrote it`,
    )
  }
  return header
}
