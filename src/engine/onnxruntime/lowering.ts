/** What the rules of the lowering write into. */
import type { Graph, TensorType, Value } from "../ir.js"
import type { Attribute, ElementName, OnnxInitializer, OnnxNode } from "./onnx.js"

export interface LowerOptions {
  /** Attention probabilities up to this many bytes in all are kept for gradients; the others are recomputed. */
  readonly keepAttentionBytes: number
  /** Attention scores are computed in blocks of at most this many bytes. */
  readonly attentionBlockBytes: number
}

/** Names and nodes of the model being written. */
export class Lowering {
  readonly nodes: OnnxNode[] = []
  readonly initializers: OnnxInitializer[] = []
  readonly #names = new Map<string, string>()
  readonly #constants = new Map<string, string>()
  readonly graph: Graph
  readonly options: LowerOptions
  readonly #memo = new Map<string, unknown>()
  #fresh = 0

  constructor(graph: Graph, options: LowerOptions) {
    this.graph = graph
    this.options = options
  }

  type(value: Value): TensorType {
    return this.graph.nodes[value.node]!.outputs[value.output]!
  }

  name(value: Value): string {
    const name = this.#names.get(`${value.node}.${value.output}`)
    if (name === undefined)
      throw new Error(`onnxruntime: value ${value.node}.${value.output} was not lowered`)
    return name
  }

  bind(value: Value, name: string): void {
    this.#names.set(`${value.node}.${value.output}`, name)
  }

  /** What an earlier rule left under a key, such as a forward node for its gradient. */
  recall<T>(key: string): T | undefined {
    return this.#memo.get(key) as T | undefined
  }

  /** Makes a thing once per model. */
  once<T>(key: string, make: () => T): T {
    const known = this.recall<T>(key)
    if (known !== undefined) return known
    const made = make()
    this.#memo.set(key, made)
    return made
  }

  /** Whether `amount` more fits into a budget, and if so spends it. */
  spend(budget: string, amount: number, limit: number): boolean {
    const spent = (this.recall<number>(`budget|${budget}`) ?? 0) + amount
    if (spent > limit) return false
    this.#memo.set(`budget|${budget}`, spent)
    return true
  }

  fresh(): string {
    return `:${this.#fresh++}`
  }

  /** Adds an ONNX node and gives the name of its first output. */
  add(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, number | string | readonly number[]>> = {},
    domain: OnnxNode["domain"] = "",
  ): string {
    return this.addMany(op, inputs, 1, attributes, domain)[0]!
  }

  addMany(
    op: string,
    inputs: readonly string[],
    outputs: number,
    attributes: Readonly<Record<string, number | string | readonly number[]>> = {},
    domain: OnnxNode["domain"] = "",
  ): readonly string[] {
    const names = Array.from({ length: outputs }, () => this.fresh())
    this.nodes.push({
      op,
      domain,
      inputs,
      outputs: names,
      attributes: Object.entries(attributes).map(([name, v]): Attribute => {
        if (typeof v === "string") return { name, string: v }
        if (typeof v !== "number") return { name, ints: v }
        return FLOAT_ATTRIBUTES.has(name) ? { name, float: v } : { name, int: v }
      }),
    })
    return names
  }

  constant(element: ElementName, shape: readonly number[], values: ArrayLike<number>): string {
    const raw = rawBytes(element, values)
    const key = raw.length <= 256 ? `${element}[${shape}]${Buffer.from(raw).toString("base64")}` : undefined
    const known = key === undefined ? undefined : this.#constants.get(key)
    if (known !== undefined) return known
    const name = `:c${this.#fresh++}`
    this.initializers.push({ name, element, shape, raw })
    if (key !== undefined) this.#constants.set(key, name)
    return name
  }

  scalar(value: number, element: ElementName = "f32"): string {
    return this.constant(element, [], [value])
  }

  ints(values: readonly number[]): string {
    return this.constant("i64", [values.length], values)
  }

  reshape(x: string, shape: readonly number[]): string {
    return this.add("Reshape", [x, this.ints(shape)])
  }
}

const FLOAT_ATTRIBUTES = new Set(["alpha", "epsilon", "scale"])

const rawBytes = (element: ElementName, values: ArrayLike<number>): Uint8Array => {
  switch (element) {
    case "f32":
      return new Uint8Array(Float32Array.from(values).buffer)
    case "i32":
      return new Uint8Array(Int32Array.from(values).buffer)
    case "i64":
      return new Uint8Array(BigInt64Array.from(Array.from(values, (v) => BigInt(v))).buffer)
    case "bool":
      return Uint8Array.from(values)
  }
}
