/**
 * Stands in for the torch worker and writes down what it is sent: a gzip file of the very frames, without the handshake
 * and without what ends a job. It answers every request at once, with zeros where numbers are due.
 *
 * Arguments: the file, and how many forward passes are kept at most.
 */
import { createWriteStream } from "node:fs"
import { PassThrough, Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { createGzip } from "node:zlib"
import type { DType } from "../../src/engine/ir.js"
import { sizeOf } from "../../src/engine/ir.js"
import {
  encodeFrame,
  PROTOCOL,
  readFrames,
  writeFrame,
  type Frame,
  type FrameTensor,
} from "../../src/engine/torch/frames.js"
import type { WireGraph } from "../../src/engine/torch/wire.js"

const [file, most] = [process.argv[2]!, Number(process.argv[3])]

const zeros = (name: string, dtype: DType, shape: readonly number[]): FrameTensor => {
  const size = sizeOf(shape)
  const data =
    dtype === "f32" ? new Float32Array(size) : dtype === "i32" ? new Int32Array(size) : new Uint8Array(size)
  return { name, dtype, shape, data }
}

const outputs = new Map<unknown, readonly FrameTensor[]>()
let passes = 0

const result = (tensors: readonly FrameTensor[]): Frame => ({ header: { type: "result" }, tensors })

/** What the worker would say, as far as its form goes. */
const answer = ({ header }: Frame): Frame => {
  switch (header["type"]) {
    case "hello": {
      const ready = { type: "ready", protocol: PROTOCOL, torch: "recorder", device: "none", compile: "eager" }
      return { header: { ...ready, world: 1 }, tensors: [] }
    }
    case "step":
      return result([zeros("loss", "f32", []), zeros("gradNorm", "f32", [])])
    case "evaluator": {
      const { nodes, outputs: named } = header["graph"] as WireGraph
      const of = named.map(([name, node, output]) => {
        const [dtype, shape] = nodes[node]![3][output]!
        return zeros(name, dtype as DType, shape)
      })
      outputs.set(header["id"], of)
      return result([])
    }
    case "evaluate":
      passes++
      return result(outputs.get(header["id"])!)
    default:
      return result([])
  }
}

const kept = ({ header }: Frame): boolean =>
  ["weights", "trainer", "program", "step", "evaluator"].includes(header["type"] as string) ||
  (header["type"] === "evaluate" && passes < most)

const written = new PassThrough()
const done = pipeline(written, createGzip({ level: 9 }), createWriteStream(file))
for await (const frame of readFrames(process.stdin as Readable)) {
  if (kept(frame)) for (const chunk of encodeFrame(frame)) written.write(Buffer.from(chunk))
  await writeFrame(process.stdout, answer(frame))
}
written.end()
await done
