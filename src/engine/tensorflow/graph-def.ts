/**
 * TensorFlow's GraphDef message, as far as a lowered graph needs it. Field numbers: tensorflow/core/framework/
 * graph.proto, node_def.proto, attr_value.proto, tensor.proto, tensor_shape.proto.
 */
import { WireWriter } from "../../data/wire.js"
import type { DType } from "../ir.js"

export type TfType = "float" | "int32" | "bool" | "bfloat16"

/** Values of `TF_DataType` (the same numbers as `DataType` in types.proto). */
export const TF_TYPE_NUMBER = { float: 1, int32: 3, bool: 10, bfloat16: 14 } as const satisfies Record<
  TfType,
  number
>

export const TF_TYPE_OF = { f32: "float", i32: "int32", bool: "bool" } as const satisfies Record<
  DType,
  TfType
>

export interface TensorLiteral {
  readonly type: TfType
  readonly shape: readonly number[]
  /** Row-major elements in the library's memory layout; fewer bytes than the shape holds repeat the last element. */
  readonly bytes: Uint8Array
}

export type Attr =
  | { readonly type: TfType }
  | { readonly int: number }
  | { readonly bool: boolean }
  | { readonly float: number }
  | { readonly shape: readonly number[] }
  | { readonly tensor: TensorLiteral }

export type Attrs = Readonly<Record<string, Attr>>

export interface NodeDef {
  readonly name: string
  readonly op: string
  /** `node` for a node's first output, `node:k` for the others. */
  readonly inputs: readonly string[]
  readonly attrs: Attrs
}

/** Graph version of TensorFlow 2.9, the oldest library accepted: newer ones read it with the same meaning. */
const PRODUCER = 987

const writeShape = (w: WireWriter, shape: readonly number[]): void => {
  for (const size of shape) w.message(2, (dim) => dim.varint(1, size))
}

const writeAttr = (w: WireWriter, attr: Attr): void => {
  if ("type" in attr) w.varint(6, TF_TYPE_NUMBER[attr.type])
  else if ("int" in attr) w.varint(3, attr.int)
  else if ("bool" in attr) w.varint(5, attr.bool ? 1 : 0)
  else if ("float" in attr) w.float(4, attr.float)
  else if ("shape" in attr) w.message(7, (shape) => writeShape(shape, attr.shape))
  else {
    const { type, shape, bytes } = attr.tensor
    w.message(8, (tensor) => {
      tensor.varint(1, TF_TYPE_NUMBER[type])
      tensor.message(2, (s) => writeShape(s, shape))
      tensor.bytes(4, bytes)
    })
  }
}

/** The serialized message. */
export const encodeGraphDef = (nodes: readonly NodeDef[]): Uint8Array => {
  const w = new WireWriter()
  for (const { name, op, inputs, attrs } of nodes) {
    w.message(1, (node) => {
      node.string(1, name)
      node.string(2, op)
      for (const input of inputs) node.string(3, input)
      for (const [key, attr] of Object.entries(attrs)) {
        node.message(5, (entry) => entry.string(1, key).message(2, (value) => writeAttr(value, attr)))
      }
    })
  }
  w.message(4, (versions) => versions.varint(1, PRODUCER))
  return w.finish()
}
