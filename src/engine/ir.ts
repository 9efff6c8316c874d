/**
 * The graph IR: what one traced function computes, with static shapes.
 *
 * A graph is a topologically ordered list of nodes. Every executor lowers the same graph; nothing in it
 * names a model. The set of operations is small and closed: a lowering that misses one fails by name.
 *
 * Conventions
 * - Element types: `f32`, `i32`, `bool`. There are no others; precision is an executor's option.
 * - Elementwise binary operations broadcast as in NumPy.
 * - Axes are non-negative. Shapes hold no unknowns and no -1.
 */
export type DType = "f32" | "i32" | "bool"

export interface TensorType {
  readonly dtype: DType
  readonly shape: readonly number[]
}

/** One output of one node. */
export interface Value {
  readonly node: number
  readonly output: number
}

export type UnaryOp =
  | "neg"
  | "abs"
  | "exp"
  | "log"
  | "log1p"
  | "sqrt"
  | "rsqrt"
  | "reciprocal"
  | "square"
  | "relu"
  /** Heaviside step with `step(0) = 0`, 1 where positive (tfjs `Step` with alpha 0). */
  | "step"
  | "sigmoid"
  | "tanh"
  | "erf"
  | "softplus"
  | "sin"
  | "cos"
  | "floor"
  | "sign"
  | "logicalNot"

export type BinaryOp =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "floorDiv"
  | "mod"
  | "pow"
  | "maximum"
  | "minimum"
  | "squaredDifference"
  | "equal"
  | "notEqual"
  | "less"
  | "lessEqual"
  | "greater"
  | "greaterEqual"
  | "logicalAnd"
  | "logicalOr"

export type ReduceOp = "reduceSum" | "reduceMean" | "reduceMax" | "reduceMin" | "reduceProd"

/** A constant's data: one repeated value, or every element in row-major order. */
export type ConstantData =
  | { readonly kind: "splat"; readonly value: number }
  | { readonly kind: "dense"; readonly values: Float32Array | Int32Array | Uint8Array }

type Empty = Record<never, never>

/** Attributes of every operation. Inputs and results are given in the comments. */
export interface OpAttributes
  extends
    Record<UnaryOp | BinaryOp, Empty>,
    Record<ReduceOp, { readonly axes: readonly number[]; readonly keepDims: boolean }> {
  /** () -> value supplied by the caller at each run */
  input: { readonly name: string }
  /** () -> constant */
  constant: { readonly data: ConstantData }
  /** (x) -> x in another element type; bool -> number gives 0/1, number -> bool gives x != 0, f32 -> i32 truncates */
  cast: { readonly to: DType }
  /** (condition: bool, a, b) -> a where the condition holds, else b; broadcasts */
  select: Empty
  /** (x) -> same elements in row-major order, another shape */
  reshape: { readonly shape: readonly number[] }
  /** (x) -> output axis i is input axis perm[i] */
  transpose: { readonly perm: readonly number[] }
  /** (x) -> x broadcast (NumPy rules) to the shape */
  broadcastTo: { readonly shape: readonly number[] }
  /** (x...) -> joined along the axis */
  concat: { readonly axis: number }
  /** (x) -> x[begin : begin+size] on each axis */
  slice: { readonly begin: readonly number[]; readonly size: readonly number[] }
  /** (x) -> x padded with a constant: [before, after] per axis */
  pad: { readonly paddings: readonly (readonly [number, number])[]; readonly value: number }
  /** (x) -> x repeated reps[i] times on axis i */
  tile: { readonly reps: readonly number[] }
  /** (x) -> reversed along the axes */
  reverse: { readonly axes: readonly number[] }
  /** (a: [..., m, k], b: [..., k, n]) -> [..., m, n]; batch dimensions broadcast; transposeA swaps a's last two axes first */
  matMul: { readonly transposeA: boolean; readonly transposeB: boolean }
  /** (x) -> softmax over the last axis */
  softmax: Empty
  /** (x) -> log-softmax over the last axis */
  logSoftmax: Empty
  /** (x, indices: i32 of any rank) -> x with the axis replaced by the indices' shape; indices are in range */
  gather: { readonly axis: number }
  /** (indices: i32 [...]) -> [..., depth]; out-of-range indices give all `off` */
  oneHot: { readonly depth: number; readonly on: number; readonly off: number }
  /** (x: [n, ...], ids: i32 [n]) -> [segments, ...]: row s is the sum of rows with id s. Deterministic and exact under threads. */
  segmentSum: { readonly segments: number }
  /** (x) -> cumulative sum along the axis */
  cumsum: { readonly axis: number; readonly exclusive: boolean; readonly reverse: boolean }
  /** (x) -> i32 index of the first largest entry along the axis, which is dropped */
  argMax: { readonly axis: number }
  /** (x) -> (values [..., k], indices i32 [..., k]) of the k largest entries of the last axis, descending, first index first on ties */
  topK: { readonly k: number }

  // Composites: one node where executors have a better form than the sum of the parts.

  /**
   * (q: [B,T,H,D], k: [B,S,H,D], v: [B,S,H,D], lengths?: i32 [B]) -> [B,T,H,D]: softmax(scale * q k^T) v per head.
   * causal: query i sees keys j <= i (T = S). lengths: the queries of row b see keys j < lengths[b] alone; where that
   * is none, lengths[b] <= 0, the row's result and its gradients are 0.
   */
  attention: { readonly scale: number; readonly causal: boolean }
  /** (q, k, v, dy: [B,T,H,D], lengths?: i32 [B]) -> (dq, dk, dv) of `attention` */
  attentionGrad: { readonly scale: number; readonly causal: boolean }
  /**
   * (x: [B,T,H,D], cos: [T,D/2], sin: [T,D/2]) -> [B,T,H,D], half-split rotation:
   * y1 = x1 cos + x2 sin; y2 = x2 cos - x1 sin. inverse: the transposed rotation (sin negated).
   */
  rotary: { readonly inverse: boolean }
  /** (x: [..., D]) -> x * rsqrt(mean(x^2 over the last axis) + eps) */
  rmsNorm: { readonly eps: number }
  /** (x, dy) -> dx of `rmsNorm` */
  rmsNormGrad: { readonly eps: number }
  /** (logits: [N,V], targets: i32 [N]) -> nats [N]: logsumexp(logits) - logits[target] */
  crossEntropy: Empty
  /** (logits, targets, dy: [N]) -> dlogits: (softmax(logits) - onehot(targets)) * dy */
  crossEntropyGrad: Empty

  /** (x...) -> the results of a function of the graph at these arguments */
  call: { readonly function: string }
}

export type Op = keyof OpAttributes

export type Node = {
  [K in Op]: {
    readonly id: number
    readonly op: K
    readonly inputs: readonly Value[]
    readonly attrs: OpAttributes[K]
    readonly outputs: readonly TensorType[]
  }
}[Op]

/** The type in which a `frozen` input is kept; bf16 is rounded once, to nearest even, and widened where it is used. */
export type Storage = "f32" | "bf16"

/**
 * A named input. `parameter` and `state` are held by the executor between runs and changed by a step; `frozen` is held
 * too, shared by programs, and never changed, differentiated or given moments; `feed` comes with each run.
 */
export interface GraphInput {
  readonly name: string
  readonly kind: "parameter" | "state" | "frozen" | "feed"
  readonly value: Value
  /** Of a `frozen` input, whose value in the graph is f32; f32 when absent. */
  readonly storage?: Storage
}

export interface GraphOutput {
  readonly name: string
  readonly value: Value
}

export interface Graph {
  readonly name: string
  /** Topological order: a node's inputs have smaller positions. `node.id` is the position in this array. */
  readonly nodes: readonly Node[]
  readonly inputs: readonly GraphInput[]
  /**
   * Results. An output with the name of a `parameter` or `state` input is that input's next value;
   * all others are returned to the caller.
   */
  readonly outputs: readonly GraphOutput[]
  /**
   * What `call` nodes compute, by name: graphs whose inputs are feeds, the arguments in order, and whose outputs are the
   * results in order. One function is a unit that an executor may compile once and compute again instead of keeping.
   */
  readonly functions?: Readonly<Record<string, Graph>>
}

/** Number of elements of a shape. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** The type of a value. */
export const typeOf = (graph: Pick<Graph, "nodes">, value: Value): TensorType => {
  const type = graph.nodes[value.node]?.outputs[value.output]
  if (type === undefined) throw new Error(`graph: no output ${value.output} of node ${value.node}`)
  return type
}
