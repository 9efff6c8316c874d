/** Between the executor's host tensors and checkpoint files. */
import { toFloat32, type SafetensorsFile, type StoredTensor } from "../files/safetensors.js"
import type { HostTensors } from "../engine/executor.js"
import { objectivePart } from "../families/index.js"
import { SCHEDULES } from "../inference/weights/checkpoint.js"
import type { Experiment } from "../spec/experiment.js"

/** A state as it is stored: float32 tensors by name. */
export const storedState = (state: HostTensors): Record<string, StoredTensor> =>
  Object.fromEntries(
    Object.entries(state).map(([name, { shape, data }]): [string, StoredTensor] => {
      if (!(data instanceof Float32Array)) throw new TypeError(`checkpoint: ${name} is not float32`)
      return [name, { dtype: "F32", shape, data }]
    }),
  )

/** Metadata of a checkpoint whose rows grow: the schedules that it is trained with, which sampling must use. */
export const checkpointSchedules = ({ objective }: Experiment): Readonly<Record<string, string>> => {
  const schedules = objectivePart(objective).growingRows?.(objective).schedules
  return schedules === undefined ? {} : { [SCHEDULES]: JSON.stringify(schedules) }
}

/** The state a checkpoint holds. */
export const restoredState = (file: SafetensorsFile): HostTensors =>
  Object.fromEntries(
    [...file.tensors].map(([name, tensor]) => [name, { shape: tensor.shape, data: toFloat32(tensor) }]),
  )
