/** What the lowering rules share: node emission, constants, and the bf16 form of values. */
import type { DType, Graph, Node, Op, TensorType, Value } from "../ir.js"
import { typeOf } from "../ir.js"
import { TF_TYPE_OF, type Attrs, type NodeDef, type TfType } from "./graph-def.js"

/** One output of one TensorFlow node. */
export interface Ref {
  readonly name: string
  readonly type: TfType
}

export interface LowerOptions {
  /** bf16: operands of matrix products are rounded to bf16; everything else stays fp32. */
  readonly precision: "fp32" | "bf16"
  /** Under bf16: whether the library multiplies the rounded operands as bf16, or, where that is slower, as fp32. */
  readonly bf16Products: "bf16" | "fp32"
  readonly device: "cpu" | "gpu"
  /** Attention probabilities up to this many bytes in all are kept for gradients; the others are recomputed. */
  readonly keepAttentionBytes: number
  /** Size of one block of attention scores. */
  readonly attentionBlockBytes: number
  /** Whether clusters of elementwise operations become functions for XLA, which runs each on one thread. */
  readonly fuse?: boolean
}

export type NodeOf<K extends Op> = Extract<Node, { op: K }>

/** Lowering rules of some operations. */
export type Rules<K extends Op> = {
  readonly [P in K]: (l: Lowering, node: NodeOf<P>, inputs: readonly Ref[]) => Ref | readonly Ref[]
}

export class Lowering {
  readonly nodes: NodeDef[] = []
  readonly graph: Graph
  readonly options: LowerOptions
  #scope = "graph"
  #counter = 0
  readonly #values: (readonly Ref[])[] = []
  readonly #once = new Map<string, unknown>()
  /** Values that are an exact widening of a bf16 value, by name. */
  readonly #narrow = new Map<string, Ref>()
  /** Values that only rearrange another one: how to do the same to its bf16 form. */
  readonly #moves = new Map<
    string,
    { readonly sources: readonly Ref[]; readonly move: (sources: readonly Ref[]) => Ref }
  >()

  constructor(graph: Graph, options: LowerOptions) {
    this.graph = graph
    this.options = options
  }

  /** Nodes emitted from now on carry the name of this IR node. */
  enter(node: Node): void {
    this.#scope = node.op === "input" ? `input_${node.id}` : `${node.op}_${node.id}`
    this.#counter = 0
  }

  /** Emits a node with one output of the first input's type, unless another is given. */
  add(op: string, inputs: readonly Ref[], attrs: Attrs = {}, type: TfType = inputs[0]!.type): Ref {
    return this.addMany(op, inputs, attrs, [type])[0]!
  }

  addMany(op: string, inputs: readonly Ref[], attrs: Attrs, types: readonly TfType[]): readonly Ref[] {
    const name = `${this.#scope}/${op}_${this.#counter++}`
    this.nodes.push({ name, op, inputs: inputs.map((i) => i.name), attrs })
    return types.map((type, k) => ({ name: k === 0 ? name : `${name}:${k}`, type }))
  }

  /** A node whose type attribute `T` is the first input's type. */
  op(op: string, inputs: readonly Ref[], attrs: Attrs = {}, type?: TfType): Ref {
    return this.add(op, inputs, { T: { type: inputs[0]!.type }, ...attrs }, type)
  }

  /** The TensorFlow value of an IR value lowered before. */
  lowered(value: Value): Ref {
    const ref = this.#values[value.node]?.[value.output]
    if (ref === undefined)
      throw new Error(
        `tensorflow: graph ${this.graph.name} uses output ${value.output} of node ${value.node} before it exists`,
      )
    return ref
  }

  define(node: Node, results: readonly Ref[]): void {
    this.#values[node.id] = results
  }

  type(value: Value): TensorType {
    return typeOf(this.graph, value)
  }

  producer(value: Value): Node {
    return this.graph.nodes[value.node]!
  }

  /** The repeated value of a constant, if it is one. */
  splatOf(value: Value): number | undefined {
    const node = this.producer(value)
    return node.op === "constant" && node.attrs.data.kind === "splat" ? node.attrs.data.value : undefined
  }

  once<T>(key: string, make: () => T): T {
    if (!this.#once.has(key)) this.#once.set(key, make())
    return this.#once.get(key) as T
  }

  remember(key: string, value: unknown): void {
    this.#once.set(key, value)
  }

  recall<T>(key: string): T | undefined {
    return this.#once.get(key) as T | undefined
  }

  /** Whether `amount` more fits into a budget, and if so spends it. */
  spend(budget: string, amount: number, limit: number): boolean {
    const spent = (this.recall<number>(`budget|${budget}`) ?? 0) + amount
    if (spent > limit) return false
    this.remember(`budget|${budget}`, spent)
    return true
  }

  /** A constant of elements in row-major order. */
  dense(values: Float32Array | Int32Array | Uint8Array, type: TensorType): Ref {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    return this.#constant(TF_TYPE_OF[type.dtype], type.shape, bytes)
  }

  scalar(value: number, dtype: DType = "f32"): Ref {
    const key = `scalar|${dtype}|${Object.is(value, -0) ? "-0" : value}`
    const data =
      dtype === "f32"
        ? Float32Array.of(value)
        : dtype === "i32"
          ? Int32Array.of(value)
          : Uint8Array.of(value === 0 ? 0 : 1)
    return this.once(key, () => this.dense(data, { dtype, shape: [] }))
  }

  /** An i32 vector: a shape, axes, a permutation. */
  ints(values: readonly number[]): Ref {
    return this.once(`ints|${values.join()}`, () =>
      this.dense(Int32Array.from(values), { dtype: "i32", shape: [values.length] }),
    )
  }

  /** A constant of one repeated value, made at run time so that the graph stays small. */
  fill(value: number, { dtype, shape }: TensorType): Ref {
    if (shape.length === 0) return this.scalar(value, dtype)
    return this.once(`fill|${dtype}|${shape.join()}|${Object.is(value, -0) ? "-0" : value}`, () =>
      this.add(
        "Fill",
        [this.ints(shape), this.scalar(value, dtype)],
        { T: { type: TF_TYPE_OF[dtype] }, index_type: { type: "int32" } },
        TF_TYPE_OF[dtype],
      ),
    )
  }

  cast(x: Ref, to: TfType): Ref {
    if (x.type === to) return x
    return this.add(
      "Cast",
      [x],
      { SrcT: { type: x.type }, DstT: { type: to }, Truncate: { bool: false } },
      to,
    )
  }

  reshape(x: Ref, shape: readonly number[]): Ref {
    return this.move([x], ([y]) => this.op("Reshape", [y!, this.ints(shape)], { Tshape: { type: "int32" } }))
  }

  transpose(x: Ref, perm: readonly number[]): Ref {
    return this.move([x], ([y]) => this.op("Transpose", [y!, this.ints(perm)], { Tperm: { type: "int32" } }))
  }

  /** A value that only rearranges others; its bf16 form is the same rearrangement of theirs. */
  move(sources: readonly Ref[], move: (sources: readonly Ref[]) => Ref): Ref {
    const result = move(sources)
    if (result.type === "float") this.#moves.set(result.name, { sources, move })
    return result
  }

  /** The value rounded to bf16, rounded once wherever it is used; as fp32 where products are. */
  narrow(x: Ref): Ref {
    if (x.type !== "float") return x
    const known = this.#narrow.get(x.name)
    if (known !== undefined) return known
    const moved = this.#moves.get(x.name)
    const sources = moved?.sources.map((s) => this.#narrowed(s))
    const result =
      moved !== undefined && sources!.every((s) => s !== undefined)
        ? moved.move(sources as readonly Ref[])
        : this.#round(x)
    this.#narrow.set(x.name, result)
    return result
  }

  /** Rounded to nearest, ties to even, in the type that products are computed in. */
  #round(x: Ref): Ref {
    const rounded = this.cast(x, "bfloat16")
    if (this.options.bf16Products === "bf16") return rounded
    const wide = this.cast(rounded, "float")
    this.#narrow.set(wide.name, wide)
    return wide
  }

  /** The bf16 form of a value where it exists already or follows from existing ones. */
  #narrowed(x: Ref): Ref | undefined {
    const known = this.#narrow.get(x.name)
    if (known !== undefined) return known
    const moved = this.#moves.get(x.name)
    if (moved === undefined) return undefined
    const sources = moved.sources.map((s) => this.#narrowed(s))
    if (!sources.every((s) => s !== undefined)) return undefined
    const result = moved.move(sources as readonly Ref[])
    this.#narrow.set(x.name, result)
    return result
  }

  /** A bf16 result as fp32. */
  widen(x: Ref): Ref {
    if (x.type !== "bfloat16") return x
    const wide = this.cast(x, "float")
    this.#narrow.set(wide.name, x)
    return wide
  }

  #constant(type: TfType, shape: readonly number[], bytes: Uint8Array): Ref {
    return this.add("Const", [], { dtype: { type }, value: { tensor: { type, shape, bytes } } }, type)
  }
}
