/** The windows that an evaluation scores, cut from the validation split, and what evidence stores about them. */
import type { Tokens } from "../data/rows/tokens.js"
import type { SentencePieceModel } from "../data/tokenizers/sentencepiece.js"
import { modelTokenizer } from "../data/tokenizers/tokenizer.js"
import type { StoredTensor } from "../files/safetensors.js"
import { cutWindows, type DocumentWindows, type ScoredWindows } from "../inference/windows.js"
import type { EvaluateJob } from "./job.js"
import type { OfWindows } from "./part.js"

export const windowsOf = (
  { windows }: OfWindows,
  { split, experiment, corpus }: EvaluateJob,
): ScoredWindows => {
  const { data } = experiment
  const encode = (text: string): ArrayLike<number> =>
    modelTokenizer(data.tokenizer.id, corpus.tokenizer as SentencePieceModel).encode(text)
  return cutWindows(split, windows, { ...data, encode }, corpus.validation.join(", "))
}

/** Token id before each window in the split; -1 where there is none. */
const previousTokens = (split: Tokens, { starts }: ScoredWindows): Int32Array =>
  Int32Array.from(starts, (start) => (start === 0 ? -1 : split[start - 1]!))

/** Token id behind each window in the split; -1 where there is none. PAD is no part of the split. */
const followingTokens = (
  split: Tokens,
  { starts, tokens, length, rows }: ScoredWindows,
  padId: number,
): Int32Array =>
  Int32Array.from(starts, (start, w) => {
    if (rows !== undefined) {
      const last = rows.places.subarray(w * length, (w + 1) * length).findLast((place) => place >= 0)
      return split[(last ?? start - 1) + 1] ?? -1
    }
    const row = tokens.subarray(w * length, (w + 1) * length)
    const pad = row.indexOf(padId)
    return split[start + (pad < 0 ? length : pad)] ?? -1
  })

/** Targets of rows that are documents: every token that is not given. */
const tokensScored = ({ fixed, lengths }: DocumentWindows, length: number): StoredTensor => {
  const data = Int32Array.from(fixed.keys()).filter(
    (i) => fixed[i] === 0 && i % length < lengths[Math.floor(i / length)]!,
  )
  return { dtype: "I32", shape: [data.length], data }
}

export const windowTensors = (
  windows: ScoredWindows,
  split: Tokens,
  padId: number,
): Record<string, StoredTensor> => {
  const shape = [windows.count]
  const { rows } = windows
  const own: Record<string, StoredTensor> =
    rows === undefined
      ? {}
      : {
          places: { dtype: "I32", shape: [windows.count, windows.length], data: rows.places },
          scored: tokensScored(rows, windows.length),
        }
  return {
    ...own,
    tokens: { dtype: "I32", shape: [windows.count, windows.length], data: windows.tokens },
    starts: { dtype: "I32", shape, data: windows.starts },
    previous: { dtype: "I32", shape, data: previousTokens(split, windows) },
    following: { dtype: "I32", shape, data: followingTokens(split, windows, padId) },
  }
}
