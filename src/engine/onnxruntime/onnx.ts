/** ONNX model files: the few protobuf messages that a graph needs (onnx.proto, IR version 10). */
import { WireWriter } from "../../files/wire.js"

/** TensorProto.DataType */
export const ELEMENT = { f32: 1, i32: 6, i64: 7, bool: 9 } as const
export type ElementName = keyof typeof ELEMENT

export type Attribute =
  | { readonly name: string; readonly int: number }
  | { readonly name: string; readonly float: number }
  | { readonly name: string; readonly ints: readonly number[] }
  | { readonly name: string; readonly string: string }

export interface OnnxNode {
  readonly op: string
  readonly domain: "" | "com.microsoft"
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: readonly Attribute[]
}

export interface OnnxValueInfo {
  readonly name: string
  readonly element: ElementName
  readonly shape: readonly number[]
}

export interface OnnxInitializer extends OnnxValueInfo {
  /** Little-endian bytes, row-major. */
  readonly raw: Uint8Array
}

export interface OnnxModel {
  readonly name: string
  readonly nodes: readonly OnnxNode[]
  readonly inputs: readonly OnnxValueInfo[]
  readonly outputs: readonly OnnxValueInfo[]
  readonly initializers: readonly OnnxInitializer[]
}

const ATTRIBUTE = { float: 1, int: 2, string: 3, ints: 7 } as const

const writeAttribute = (w: WireWriter, attribute: Attribute): void => {
  w.string(1, attribute.name)
  if ("int" in attribute) {
    w.varint(3, attribute.int)
    w.varint(20, ATTRIBUTE.int)
  } else if ("float" in attribute) {
    w.float(2, attribute.float)
    w.varint(20, ATTRIBUTE.float)
  } else if ("ints" in attribute) {
    for (const i of attribute.ints) w.varint(8, i)
    w.varint(20, ATTRIBUTE.ints)
  } else {
    w.string(4, attribute.string)
    w.varint(20, ATTRIBUTE.string)
  }
}

const writeNode = (w: WireWriter, node: OnnxNode): void => {
  for (const input of node.inputs) w.string(1, input)
  for (const output of node.outputs) w.string(2, output)
  w.string(4, node.op)
  for (const attribute of node.attributes) w.message(5, (m) => writeAttribute(m, attribute))
  if (node.domain !== "") w.string(7, node.domain)
}

const writeValueInfo = (w: WireWriter, info: OnnxValueInfo): void => {
  w.string(1, info.name)
  w.message(2, (type) =>
    type.message(1, (tensor) => {
      tensor.varint(1, ELEMENT[info.element])
      tensor.message(2, (shape) => {
        for (const d of info.shape) shape.message(1, (dim) => dim.varint(1, d))
      })
    }),
  )
}

const writeInitializer = (w: WireWriter, tensor: OnnxInitializer): void => {
  for (const d of tensor.shape) w.varint(1, d)
  w.varint(2, ELEMENT[tensor.element])
  w.string(8, tensor.name)
  w.bytes(9, tensor.raw)
}

/** Serialises a model: default opset 18 and Microsoft's contributed operators. */
export const encodeOnnx = (model: OnnxModel): Uint8Array => {
  const w = new WireWriter()
  w.varint(1, 10)
  w.string(2, "repro")
  w.message(7, (g) => {
    for (const node of model.nodes) g.message(1, (m) => writeNode(m, node))
    g.string(2, model.name)
    for (const tensor of model.initializers) g.message(5, (m) => writeInitializer(m, tensor))
    for (const info of model.inputs) g.message(11, (m) => writeValueInfo(m, info))
    for (const info of model.outputs) g.message(12, (m) => writeValueInfo(m, info))
  })
  w.message(8, (opset) => opset.varint(2, 18))
  w.message(8, (opset) => {
    opset.string(1, "com.microsoft")
    opset.varint(2, 1)
  })
  return w.finish()
}
