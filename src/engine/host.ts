/** Data of the host, and the names of the engines: what every part of an executor speaks of. */

/** Host data in row-major order; `bool` is held as bytes 0/1. */
export type HostArray = Float32Array | Int32Array | Uint8Array

export interface HostTensor {
  readonly shape: readonly number[]
  readonly data: HostArray
}

export type HostTensors = Readonly<Record<string, HostTensor>>

export type EngineName = "onnxruntime" | "tensorflow" | "torch" | "tfjs"
