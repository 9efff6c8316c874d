/** Between the executor's host tensors and checkpoint files. */
import { toFloat32, type SafetensorsFile, type StoredTensor } from "../files/safetensors.js"
import type { HostTensors } from "../engine/executor.js"

/** A state as it is stored: float32 tensors by name. */
export const storedState = (state: HostTensors): Record<string, StoredTensor> =>
  Object.fromEntries(
    Object.entries(state).map(([name, { shape, data }]): [string, StoredTensor] => {
      if (!(data instanceof Float32Array)) throw new TypeError(`checkpoint: ${name} is not float32`)
      return [name, { dtype: "F32", shape, data }]
    }),
  )

/** The state a checkpoint holds. */
export const restoredState = (file: SafetensorsFile): HostTensors =>
  Object.fromEntries(
    [...file.tensors].map(([name, tensor]) => [name, { shape: tensor.shape, data: toFloat32(tensor) }]),
  )
