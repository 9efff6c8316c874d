/** The tensors of a checkpoint made elsewhere, by their names in the file. */
import * as Schema from "effect/Schema"
import { JointSchedule } from "../../diffusion/insertion/schedule.js"
import { DataError } from "../../files/errors.js"
import { checkpointFormat } from "../../files/file-kind.js"
import { readPytorch } from "../../files/pytorch.js"
import { readSafetensors, type StoredTensor, type UnreadTensor } from "../../files/safetensors.js"

export interface Checkpoint {
  readonly format: "safetensors" | "pytorch"
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** Tensors whose element type or layout is not read; they matter only where the network needs them. */
  readonly unread?: ReadonlyMap<string, UnreadTensor>
  /** Optimiser steps behind it; null where the file does not say. */
  readonly step: number | null
  /** What a safetensors file says of itself. */
  readonly metadata?: Readonly<Record<string, string>>
  /** Schedules of insertion and unmasking that it was trained with, where the file says them. */
  readonly schedules?: JointSchedule
}

/** Name of the schedules in a checkpoint's metadata. */
export const SCHEDULES = "schedules"

/** @throws DataError where they are not as this program writes them */
export const schedulesIn = (
  metadata: Readonly<Record<string, string>>,
  path: string,
): JointSchedule | undefined => {
  const text = metadata[SCHEDULES]
  if (text === undefined) return undefined
  try {
    return Schema.decodeUnknownSync(JointSchedule)(JSON.parse(text))
  } catch (error) {
    throw new DataError(
      "invalid",
      path,
      `the schedules that it says it was trained with are none that this program knows (${text.slice(0, 80)}); restore the file from a copy.`,
      error,
    )
  }
}

/**
 * A safetensors file, or a state dict written by torch.save; the first bytes tell which.
 *
 * @throws DataError
 */
export const readCheckpoint = async (path: string): Promise<Checkpoint> => {
  if ((await checkpointFormat(path)) === "zip")
    return { format: "pytorch", ...(await readPytorch(path)), step: null }
  const { tensors, unread, metadata } = await readSafetensors(path).catch((error: unknown) => {
    if (!(error instanceof DataError) || (error.reason !== "invalid" && error.reason !== "truncated"))
      throw error
    const why = error.message.replace(`${error.subject}: `, "")
    throw new DataError(
      error.reason,
      path,
      `it is no PyTorch checkpoint, which begins as a ZIP file (torch.save since PyTorch 1.6), so it was read as safetensors: ${why}`,
      error,
    )
  })
  const stated = metadata["step"] ?? ""
  const step = /^\d+$/.test(stated) ? Number(stated) : Number.NaN
  const schedules = schedulesIn(metadata, path)
  return {
    format: "safetensors",
    tensors,
    metadata,
    ...(unread === undefined ? {} : { unread }),
    step: Number.isSafeInteger(step) ? step : null,
    ...(schedules === undefined ? {} : { schedules }),
  }
}
