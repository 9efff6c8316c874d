/**
 * Evidence: what one evaluation measured, with all that is needed to compute every figure again. Written once; metrics
 * only read it. How it lies on disk is in `stored-evidence.ts`.
 */
import type { SafetensorsFile } from "../files/safetensors.js"
import type { TextRules } from "../metric/bytes/text-bytes.js"
import type { LeftOut } from "../spec/windows.js"
import type { EvaluatedWindows } from "./summary.js"

export const EVIDENCE_FORMAT = "repro-evidence"
export const EVIDENCE_VERSION = 2
/** Versions that are read; see `stored-evidence.ts` for how they differ on disk. */
const READ: readonly number[] = [1, EVIDENCE_VERSION]

/** What was measured: tensors, items, or both. */
export interface EvidenceFile extends SafetensorsFile {
  /** One JSON value an item; of generations see {@link GeneratedItem}. */
  readonly items?: readonly unknown[]
}

/** One generation, as samplers and tasks store it; graders read it, and nothing of it is ever edited. */
export interface GeneratedItem {
  /** The task's item, or the number of the sample. */
  readonly item: string | number
  readonly prompt: string
  /** Ids after the prompt, as the network made them. */
  readonly tokens: readonly number[]
  /** Their text before any post-processing. */
  readonly text: string
  /** Passes of the network. */
  readonly forwards: number
  /** Why it ended: a token, its length, a limit. */
  readonly exit: string
}

/** Pieces of a tokenizer as the byte table needs them. */
export interface EvidencePiece {
  readonly piece: string
  readonly type: "normal" | "unknown" | "control" | "user-defined" | "unused" | "byte"
}

/** What evidence says of the network that judged its texts. */
export interface JudgeAccount {
  readonly spec: string
  readonly profile: string
  readonly fingerprint: string
  /** Of its weights: the SHA-256 of the one file, or of the list of digests of several. */
  readonly digest: string
  readonly files: readonly { readonly file: string; readonly sha256: string }[]
  readonly tokenizer: { readonly id: string; readonly digest: string; readonly boundaryId: number }
  /** Tokens of a row; what of a text is beyond is not judged. */
  readonly window: number
  readonly begin: "text" | "boundary"
}

/** Everything about a measurement that is not a tensor. */
export interface EvidenceHeader {
  readonly format: typeof EVIDENCE_FORMAT
  readonly version: number
  readonly evaluation: EvaluatedWindows
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
    /** Stands between prompt and target; absent where documents have no prompt. */
    readonly separatorId?: number
    readonly maskId: number
    readonly padId: number
    readonly pieces: readonly EvidencePiece[]
    /** How text became pieces; absent in evidence of earlier versions, whose bytes are the published table's. */
    readonly text?: TextRules
  }
  /** Noise schedule and boundary rule, where the evaluation has them. */
  readonly objective: {
    readonly eps: number | null
    readonly boundary: "free" | "maskable"
    /** coded: what stands behind a text is learned and coded as its end, so that the length is in the code. */
    readonly textEnd?: "coded"
  }
  /** Leads up to this many nats are ties, where the network chose the order; absent in evidence of earlier versions. */
  readonly tieNats?: number
  /** Optimiser steps behind the weights; null where it is not known. */
  readonly step: number | null
  readonly executor: { readonly name: string; readonly version: string; readonly precision: string }
  /** Sequences that went through the network, and seconds it took. */
  readonly forwards: number
  readonly seconds: number
  /** The network that judged the items; absent where none did. */
  readonly judge?: JudgeAccount & { readonly forwards: number; readonly seconds: number }
  /** Most accelerator memory that tensors took; null on a CPU; absent where it was not asked for. */
  readonly acceleratorBytes?: number | null
  /** merged: adapters were added into their layers before anything was computed. */
  readonly adapters?: "merged"
}

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
  if (!READ.includes(header.version)) {
    throw new Error(
      `${subject}: its format is version ${String(header.version)}, this program reads ${READ.join(" and ")}; use the version of repro that wrote it`,
    )
  }
  return header
}
