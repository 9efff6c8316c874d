/** The windows that an evaluation scores, cut from the validation split, and what evidence stores about them. */
import type { Tokens } from "../data/rows/tokens.js"
import type { StoredTensor } from "../files/safetensors.js"
import { cutWindows, type ScoredWindows } from "../inference/windows.js"
import type { EvaluateJob } from "./job.js"
import type { OfWindows } from "./part.js"

export const windowsOf = (
  { windows }: OfWindows,
  { split, experiment, corpus }: EvaluateJob,
): ScoredWindows => cutWindows(split, windows, experiment.data.tokenizer, corpus.validation.join(", "))

/** Token id before each window in the split; -1 where there is none. */
const previousTokens = (split: Tokens, { starts }: ScoredWindows): Int32Array =>
  Int32Array.from(starts, (start) => (start === 0 ? -1 : split[start - 1]!))

/** Token id behind each window in the split; -1 where there is none. PAD is no part of the split. */
const followingTokens = (
  split: Tokens,
  { starts, tokens, length }: ScoredWindows,
  padId: number,
): Int32Array =>
  Int32Array.from(starts, (start, w) => {
    const row = tokens.subarray(w * length, (w + 1) * length)
    const pad = row.indexOf(padId)
    return split[start + (pad < 0 ? length : pad)] ?? -1
  })

export const windowTensors = (
  windows: ScoredWindows,
  split: Tokens,
  padId: number,
): Record<string, StoredTensor> => {
  const shape = [windows.count]
  return {
    tokens: { dtype: "I32", shape: [windows.count, windows.length], data: windows.tokens },
    starts: { dtype: "I32", shape, data: windows.starts },
    previous: { dtype: "I32", shape, data: previousTokens(split, windows) },
    following: { dtype: "I32", shape, data: followingTokens(split, windows, padId) },
  }
}
