/** What a table says of weights that were trained elsewhere: which were scored, and which were not. */
import type { LoadedWeights } from "../weights.js"
import type { Checkpoint } from "./checkpoint.js"
import { AVERAGE, grouped } from "./names.js"

export interface WeightsAccount {
  /** Name of the file, without its folder. */
  readonly file: string
  readonly format: Checkpoint["format"]
  readonly sha256: string
  /** Optimiser steps behind it; null where the file does not say. */
  readonly step: number | null
  /** raw: the weights. ema: their moving average. */
  readonly set: LoadedWeights["set"]
  /** What stands in front of every name of that set in the file; null where that differs. */
  readonly under: string | null
  /** Tensors that were scored. */
  readonly scored: number
  /** Tensors of the file that were not, by their names there; buffers aside. */
  readonly leftOut: readonly string[]
  /** Buffers of the file, computed anew from the spec. */
  readonly buffers: readonly string[]
  /** Tensors that the spec speaks of and the file does not hold. */
  readonly absent: readonly string[]
  readonly notes: readonly string[]
}

export const accountOf = (
  loaded: LoadedWeights,
  { format, step }: Pick<Checkpoint, "format" | "step">,
  { file, sha256 }: { readonly file: string; readonly sha256: string },
): WeightsAccount => ({
  file,
  format,
  sha256,
  step,
  set: loaded.set,
  under: loaded.under,
  scored: Object.keys(loaded.parameters).length,
  leftOut: loaded.unused,
  buffers: loaded.buffers,
  absent: loaded.absent,
  notes: loaded.notes,
})

const listed = (names: readonly string[]): string => grouped(names).join(", ")

const count = (names: readonly string[]): string =>
  names.length === 1 ? "1 tensor" : `${names.length} tensors`

/** The account in sentences; every tensor is named. */
export const weightsSentences = (account: WeightsAccount): readonly string[] => {
  const { file, set, under, scored, leftOut, buffers, absent, notes } = account
  const place = under === null ? ", by names of their own" : under === "" ? "" : `, under "${under}"`
  const average = absent.length === scored && absent.every((name) => name.startsWith(AVERAGE))
  return [
    `Weights scored: ${set === "ema" ? "the moving average" : "the weights by their plain names (raw)"} in ${file}, ${scored} tensors${place}${leftOut.length + buffers.length === 0 ? "; the file holds no others" : ""}.`,
    ...notes,
    ...(leftOut.length === 0 ? [] : [`Left out of ${file}, ${count(leftOut)}: ${listed(leftOut)}.`]),
    ...(buffers.length === 0
      ? []
      : [`Computed anew and not read from ${file}, ${count(buffers)}: ${listed(buffers)}.`]),
    ...(absent.length === 0
      ? []
      : [
          `Absent from ${file}, ${count(absent)}: ${average ? `${AVERAGE}NAME, the moving average, of every tensor` : listed(absent)}.`,
        ]),
  ]
}
