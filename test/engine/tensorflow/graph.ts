/** Graphs written node by node, exactly as given: no rewriting, no sharing. */
import type { Graph, GraphInput, Node, Op, OpAttributes, TensorType, Value } from "../../../src/engine/ir.js"
import { inferTypes } from "../../../src/engine/shapes.js"

export class PlainGraph {
  readonly #nodes: Node[] = []
  readonly #inputs: GraphInput[] = []

  input(
    name: string,
    shape: readonly number[],
    kind: GraphInput["kind"] = "feed",
    dtype: TensorType["dtype"] = "f32",
  ): Value {
    const value = this.#push("input", [], { name }, [{ dtype, shape }])[0]!
    this.#inputs.push({ name, kind, value })
    return value
  }

  splat(value: number, shape: readonly number[], dtype: TensorType["dtype"] = "f32"): Value {
    return this.#push("constant", [], { data: { kind: "splat", value } }, [{ dtype, shape }])[0]!
  }

  op<K extends Op>(op: K, inputs: readonly Value[], attrs: OpAttributes[K]): Value {
    return this.opMany(op, inputs, attrs)[0]!
  }

  opMany<K extends Op>(op: K, inputs: readonly Value[], attrs: OpAttributes[K]): readonly Value[] {
    const types = inputs.map((v) => this.#nodes[v.node]!.outputs[v.output]!)
    return this.#push(op, inputs, attrs, inferTypes(op, attrs, types))
  }

  build(name: string, outputs: Readonly<Record<string, Value>>): Graph {
    return {
      name,
      nodes: this.#nodes,
      inputs: this.#inputs,
      outputs: Object.entries(outputs).map(([key, value]) => ({ name: key, value })),
    }
  }

  #push<K extends Op>(
    op: K,
    inputs: readonly Value[],
    attrs: OpAttributes[K],
    outputs: readonly TensorType[],
  ): readonly Value[] {
    const id = this.#nodes.length
    this.#nodes.push({ id, op, inputs, attrs, outputs } as Node)
    return outputs.map((_, output) => ({ node: id, output }))
  }
}

/** A float tensor. */
export const floats = (shape: readonly number[], values: readonly number[]) => ({
  shape,
  data: Float32Array.from(values),
})

export const ints = (shape: readonly number[], values: readonly number[]) => ({
  shape,
  data: Int32Array.from(values),
})
