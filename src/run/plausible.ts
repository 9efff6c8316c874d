/** What can be seen of evidence without knowing what was meant to be in it: whose it is, and that it is made of numbers. */
import type { SafetensorsFile } from "../files/safetensors.js"
import { RunError } from "./errors.js"

/** The id of the evaluation that evidence says it is of; undefined where it does not say. */
const statedId = (metadata: Readonly<Record<string, string>>, path: string): string | undefined => {
  const text = metadata["evidence"]
  if (text === undefined) return undefined
  try {
    const { evaluation } = JSON.parse(text) as { readonly evaluation?: { readonly id?: unknown } }
    return typeof evaluation?.id === "string" ? evaluation.id : undefined
  } catch (error) {
    throw new RunError("damaged", path, `its header is not JSON; ${CURE}.`, error)
  }
}

const CURE = "restore it from a copy of the run, or move it away and measure it again with --resume"

/**
 * @param evaluation the id that the file's name gives
 * @throws RunError `damaged` when it is the evidence of another evaluation, or holds what is not a number
 */
export const requirePlausible = (file: SafetensorsFile, evaluation: string, path: string): void => {
  const id = statedId(file.metadata, path)
  if (id !== undefined && id !== evaluation)
    throw new RunError("damaged", path, `it holds the evidence of ${id}, so files were swapped; ${CURE}.`)
  for (const [name, { data }] of file.tensors) {
    if (!(data instanceof Float64Array || data instanceof Float32Array)) continue
    const at = data.findIndex(Number.isNaN)
    if (at >= 0)
      throw new RunError("damaged", path, `element ${at} of "${name}" is not a number (NaN); ${CURE}.`)
  }
}
