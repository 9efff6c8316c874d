/** Evidence of scoring that lists its targets: sliding, and next-token prediction. */
import type { StoredTensor } from "../files/safetensors.js"
import type { ScoredWindows } from "../inference/windows.js"

export interface StreamEvidence {
  readonly windows: ScoredWindows
  /** Index into the windows' tokens of each target scored, in order of scoring; a repeating tail lists it again. */
  readonly scored: Int32Array
  /** Cross-entropy of each, nats; 0 for tokens that are never masked */
  readonly nats: Float64Array
  readonly forwards: number
}

/** Each scored target by its index in the windows' tokens. */
export const streamTensors = ({ scored, nats }: StreamEvidence): Record<string, StoredTensor> => ({
  scored: { dtype: "I32", shape: [scored.length], data: scored },
  nats: { dtype: "F64", shape: [nats.length], data: nats },
})
