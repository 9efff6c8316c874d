/**
 * Builds a graph node by node. Equal nodes are shared (common-subexpression elimination) and trivial ones are
 * rewritten on the way in (`passes/simplify.ts`), so a graph never holds what it does not need.
 */
import { createHash } from "node:crypto"
import {
  sizeOf,
  typeOf,
  type ConstantData,
  type DType,
  type Graph,
  type GraphInput,
  type GraphOutput,
  type Node,
  type Op,
  type OpAttributes,
  type Storage,
  type TensorType,
  type Value,
} from "./ir.js"
import { simplify } from "./passes/simplify.js"
import { prune } from "./passes/prune.js"
import { inferTypes } from "./shapes.js"

/** Dense constants up to this many elements are shared when equal. */
const SHARED_CONSTANT_SIZE = 4096

export class GraphBuilder {
  readonly nodes: Node[] = []
  readonly #inputs: GraphInput[] = []
  readonly #known = new Map<string, number>()
  readonly #functions = new Map<string, Graph>()
  /** Names of functions by what they compute. */
  readonly #functionNames = new Map<string, string>()

  /** A named input of the graph; `storage` is that of a frozen one. */
  input(name: string, kind: GraphInput["kind"], type: TensorType, storage?: Storage): Value {
    if (storage !== undefined && (kind !== "frozen" || type.dtype !== "f32"))
      throw new Error(`graph: the input ${name} has a storage of its own, but is no frozen f32 input`)
    const node = this.#push("input", [], { name }, [type])
    const value = { node, output: 0 }
    this.#inputs.push({ name, kind, value, ...(storage === undefined ? {} : { storage }) })
    return value
  }

  /** The results of a function. Functions that compute the same are one, whatever the name given. */
  call(name: string, body: Graph, inputs: readonly Value[]): readonly Value[] {
    const outputs = body.outputs.map(({ value }) => typeOf(body, value))
    body.inputs.forEach((input, i) => {
      const [want, have] = [typeOf(body, input.value), inputs[i] && this.typeOf(inputs[i])]
      if (have?.dtype !== want.dtype || have.shape.join() !== want.shape.join())
        throw new Error(`graph: the function ${name} was called with another type of ${input.name}`)
    })
    const text = JSON.stringify({ ...body, name: "" }, (_, v: unknown) =>
      ArrayBuffer.isView(v)
        ? createHash("sha256")
            .update(v as Uint8Array)
            .digest("hex")
        : v,
    )
    let known = this.#functionNames.get(text)
    if (known === undefined) {
      known = this.#functions.has(name) ? `${name}.${this.#functions.size}` : name
      this.#functions.set(known, { ...body, name: known })
      this.#functionNames.set(text, known)
    }
    const attrs = { function: known }
    const key = `call|${inputs.map((v) => `${v.node}.${v.output}`).join()}|${known}`
    const { node } = this.#shared(key, "call", inputs, attrs, outputs)
    return outputs.map((_, output) => ({ node, output }))
  }

  /** A constant; values that are all equal are stored as one number. */
  constant(values: ArrayLike<number>, type: TensorType): Value {
    const first = values[0] ?? 0
    let same = true
    for (let i = 1; i < values.length; i++) {
      if (!Object.is(values[i], first)) {
        same = false
        break
      }
    }
    if (same) return this.splat(first, type)
    const dense =
      type.dtype === "f32"
        ? Float32Array.from(values)
        : type.dtype === "i32"
          ? Int32Array.from(values)
          : Uint8Array.from(values)
    const data: ConstantData = { kind: "dense", values: dense }
    const key =
      dense.length <= SHARED_CONSTANT_SIZE
        ? `constant|${type.dtype}[${type.shape}]|${dense.join()}`
        : undefined
    return this.#shared(key, "constant", [], { data }, [type])
  }

  /** A constant of another graph. */
  constantOf({ data }: OpAttributes["constant"], type: TensorType): Value {
    return data.kind === "splat" ? this.splat(data.value, type) : this.constant(data.values, type)
  }

  /** A constant of one repeated value. */
  splat(value: number, type: TensorType): Value {
    const data: ConstantData = { kind: "splat", value: type.dtype === "f32" ? Math.fround(value) : value }
    const key = `splat|${type.dtype}[${type.shape}]|${Object.is(data.value, -0) ? "-0" : data.value}`
    return this.#shared(key, "constant", [], { data }, [type])
  }

  scalar(value: number, dtype: DType = "f32"): Value {
    return this.splat(value, { dtype, shape: [] })
  }

  /** Adds an operation with one result. */
  op<K extends Op>(op: K, inputs: readonly Value[], attrs: OpAttributes[K]): Value {
    return this.opMany(op, inputs, attrs)[0]!
  }

  /** Adds an operation and gives all its results. */
  opMany<K extends Op>(op: K, inputs: readonly Value[], attrs: OpAttributes[K]): readonly Value[] {
    const simpler = simplify(this, op, inputs, attrs)
    if (simpler !== undefined) return [simpler]
    const outputs = inferTypes(
      op,
      attrs,
      inputs.map((v) => this.typeOf(v)),
    )
    const key = `${op}|${inputs.map((v) => `${v.node}.${v.output}`).join()}|${JSON.stringify(attrs)}`
    const { node } = this.#shared(key, op, inputs, attrs, outputs)
    return outputs.map((_, output) => ({ node, output }))
  }

  typeOf(value: Value): TensorType {
    const type = this.nodes[value.node]?.outputs[value.output]
    if (type === undefined) throw new Error(`graph: no output ${value.output} of node ${value.node}`)
    return type
  }

  /** The repeated value of a constant, if it is one. */
  splatOf(value: Value): number | undefined {
    const node = this.nodes[value.node]!
    return node.op === "constant" && node.attrs.data.kind === "splat" ? node.attrs.data.value : undefined
  }

  /** The finished graph: unreachable nodes dropped, every input kept. */
  build(name: string, outputs: readonly GraphOutput[]): Graph {
    for (const input of this.#inputs) {
      const next = outputs.find((o) => o.name === input.name)
      if (next === undefined) continue
      if (input.kind === "frozen")
        throw new Error(`graph ${name}: ${input.name} is frozen, so it has no next value`)
      const [have, want] = [this.typeOf(next.value), this.typeOf(input.value)]
      if (have.dtype !== want.dtype || sizeOf(have.shape) !== sizeOf(want.shape)) {
        throw new Error(
          `graph ${name}: the next value of ${input.name} is ${have.dtype}[${have.shape}], not ${want.dtype}[${want.shape}]`,
        )
      }
    }
    const functions = this.#functions.size === 0 ? {} : { functions: Object.fromEntries(this.#functions) }
    return prune({ name, nodes: this.nodes, inputs: this.#inputs, outputs, ...functions })
  }

  #shared<K extends Op>(
    key: string | undefined,
    op: K,
    inputs: readonly Value[],
    attrs: OpAttributes[K],
    outputs: readonly TensorType[],
  ): Value {
    const known = key === undefined ? undefined : this.#known.get(key)
    if (known !== undefined) return { node: known, output: 0 }
    const node = this.#push(op, inputs, attrs, outputs)
    if (key !== undefined) this.#known.set(key, node)
    return { node, output: 0 }
  }

  #push<K extends Op>(
    op: K,
    inputs: readonly Value[],
    attrs: OpAttributes[K],
    outputs: readonly TensorType[],
  ): number {
    const id = this.nodes.length
    this.nodes.push({ id, op, inputs, attrs, outputs } as Node)
    return id
  }
}
