/**
 * TensorFlow's GraphDef message, as far as a lowered graph needs it. Field numbers: tensorflow/core/framework/
 * graph.proto, node_def.proto, attr_value.proto, tensor.proto, tensor_shape.proto.
 */
import { WireWriter } from "../../files/wire.js"
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
  | { readonly types: readonly TfType[] }
  | { readonly func: string }
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
  else if ("types" in attr)
    w.message(1, (list) =>
      list.packedVarint(
        6,
        attr.types.map((type) => TF_TYPE_NUMBER[type]),
      ),
    )
  else if ("func" in attr) w.message(10, (func) => func.string(1, attr.func))
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

const writeAttrs = (w: WireWriter, attrs: Attrs): void => {
  for (const [key, attr] of Object.entries(attrs))
    w.message(5, (entry) => entry.string(1, key).message(2, (value) => writeAttr(value, attr)))
}

const writeNode = (w: WireWriter, { name, op, inputs, attrs }: NodeDef): void => {
  w.string(1, name)
  w.string(2, op)
  for (const input of inputs) w.string(3, input)
  writeAttrs(w, attrs)
}

/** The serialized message. */
export const encodeGraphDef = (nodes: readonly NodeDef[]): Uint8Array => {
  const w = new WireWriter()
  for (const node of nodes) w.message(1, (nested) => writeNode(nested, node))
  w.message(4, (versions) => versions.varint(1, PRODUCER))
  return w.finish()
}

/** A function of a graph's library (tensorflow/core/framework/function.proto, op_def.proto). */
export interface FunctionDef {
  readonly name: string
  readonly args: readonly { readonly name: string; readonly type: TfType }[]
  /** `value` as a node of the body names it: an argument, or `node:output:0`. */
  readonly results: readonly { readonly name: string; readonly type: TfType; readonly value: string }[]
  readonly nodes: readonly NodeDef[]
  readonly attrs: Attrs
}

/** The serialized message. */
export const encodeFunctionDef = ({ name, args, results, nodes, attrs }: FunctionDef): Uint8Array => {
  const w = new WireWriter()
  w.message(1, (signature) => {
    signature.string(1, name)
    for (const arg of args)
      signature.message(2, (a) => a.string(1, arg.name).varint(3, TF_TYPE_NUMBER[arg.type]))
    for (const result of results)
      signature.message(3, (r) => r.string(1, result.name).varint(3, TF_TYPE_NUMBER[result.type]))
  })
  for (const node of nodes) w.message(3, (nested) => writeNode(nested, node))
  for (const result of results) w.message(4, (entry) => entry.string(1, result.name).string(2, result.value))
  writeAttrs(w, attrs)
  return w.finish()
}
