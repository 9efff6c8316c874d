/** What the transformers share: rules of their sizes, and their cost from the shapes alone. */
import type { ParameterSpec } from "../model/parameters.js"
import { problem, type Kind, type Rule } from "./part.js"

/** Sizes of a transformer with one residual stream. */
export interface TransformerSizes extends Kind {
  readonly layers: number
  readonly width: number
  readonly heads: number
  readonly kvHeads?: number
  readonly mlpRatio: number
}

export const headRules: readonly Rule<TransformerSizes>[] = [
  ({ model: { width, heads } }) =>
    width % heads !== 0 && problem("/model/heads", `a divisor of the width ${width}`, heads),
  ({ model: { width, heads } }) =>
    width % heads === 0 &&
    (width / heads) % 2 !== 0 &&
    problem(
      "/model/heads",
      `an even head width (width ${width} / heads)`,
      heads,
      "Rotary positions turn pairs.",
    ),
  ({ model: { heads, kvHeads = heads } }) =>
    heads % kvHeads !== 0 && problem("/model/kvHeads", `a divisor of heads ${heads}`, kvHeads),
  ({ model: { width, mlpRatio } }) =>
    !Number.isInteger(width * mlpRatio) &&
    problem("/model/mlpRatio", `a ratio that makes width ${width} * mlpRatio an integer`, mlpRatio),
]

const sizeOf = ({ shape }: ParameterSpec): number => shape.reduce((a, b) => a * b, 1)

/**
 * FLOPs of one position: two for each entry of a block's matrices and of the head, and 4 * length * width a layer for
 * attention scores and their sum over values (the whole square, also under a causal mask).
 */
export const transformerFlops = (
  { layers, width }: TransformerSizes,
  specs: readonly ParameterSpec[],
  tokenRows: number,
  length: number,
): number => {
  const matrices = specs.reduce((sum, spec) => (spec.group === "matrix" ? sum + sizeOf(spec) : sum), 0)
  return 2 * (matrices + tokenRows * width) + 4 * length * width * layers
}

/** Attention probabilities kept for the backward pass, in all layers together. */
const KEPT_SQUARES_BYTES = 768 * 2 ** 20

/**
 * Three copies of one layer's attention squares (scores, probabilities, their gradient), the probabilities of the
 * layers that keep them (the others compute them a second time), 14 vectors of the width and 4 of the MLP's hidden
 * width for each layer and position, three of the logits. Calibrated on onnxruntime 1.30: with the rest of the memory
 * 0.74 GB estimated against 0.66 measured for 4 layers of width 256, and 3.3 against 3.9 for the #1241 network at
 * micro-batch 1.
 */
export const transformerActivations = (
  { layers, width, heads, mlpRatio }: TransformerSizes,
  tokenRows: number,
  rows: number,
  length: number,
): number => {
  const squares = heads * length
  const kept = Math.floor(KEPT_SQUARES_BYTES / (4 * rows * length * squares))
  const perPosition =
    (3 + Math.min(kept, layers)) * squares + layers * (14 * width + 4 * width * mlpRatio) + 3 * tokenRows
  return 4 * rows * length * perPosition
}
