/** Which set of a checkpoint is scored: the weights themselves, or their moving average. */
import { DataError } from "../../files/errors.js"
import { AVERAGE, several, unwrap, type NamedTensor } from "./names.js"

export interface WeightSet {
  readonly set: "raw" | "ema"
  /** What stands in front of every name in the file; null where that differs from tensor to tensor. */
  readonly under: string | null
  /** Name in the file of each of the network's parameters; those that are absent are missing. */
  readonly sources: ReadonlyMap<string, string>
  /** What a reader must know about the choice. */
  readonly notes: readonly string[]
}

const AVERAGES = new Set(["ema", "shadow", "average", "averaged", "averages", "polyak", "swa"])
const OPTIMISER = new Set([
  "exp",
  "optimizer",
  "optimizers",
  "optim",
  "adam",
  "adamw",
  "muon",
  "momentum",
  "sgd",
])

const wordsOf = (name: string): readonly string[] =>
  name
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z]+/)

const isOptimiser = (name: string): boolean => wordsOf(name).some((word) => OPTIMISER.has(word))

/** A name that says that it is of a moving average, or of a second copy of the network. */
export const looksAveraged = (name: string, parameters: readonly string[]): boolean => {
  if (isOptimiser(name)) return false
  if (name !== "n_averaged" && wordsOf(name).some((word) => AVERAGES.has(word))) return true
  const bare = unwrap(name)
  return parameters.some((each) => bare.endsWith(`.${each}`) || bare.endsWith(`/${each}`))
}

/** The part of a file's name before a parameter's name, or null. */
const commonPrefix = (sources: ReadonlyMap<string, string>): string | null => {
  const prefixes = new Set(
    [...sources].map(([target, name]) =>
      name.endsWith(target) ? name.slice(0, name.length - target.length) : "\0",
    ),
  )
  const [only] = prefixes
  return prefixes.size === 1 && only !== undefined && only !== "\0" ? only : null
}

/** First part of a name, such as `ema.`, for a name map's entry. */
const lead = (name: string): string => /^[^./]+[./]/.exec(name)?.[0] ?? name

/**
 * @param decay of the moving average that the experiment evaluates, true when it is not known; undefined when it keeps none
 * @throws DataError when the experiment evaluates an average and the file holds a part of one, or one by another name
 */
export const chooseSet = (
  named: readonly NamedTensor[],
  parameters: readonly string[],
  decay: number | true | undefined,
  subject: string,
): WeightSet => {
  const found = new Map(named.flatMap(({ name, target }) => (target === null ? [] : [[target, name]])))
  const pick = (prefix: string): ReadonlyMap<string, string> =>
    new Map(
      parameters.flatMap((each) => {
        const name = found.get(prefix + each)
        return name === undefined ? [] : [[each, name]]
      }),
    )
  const raw = pick("")
  const averaged = found.has("n_averaged")
    ? [
        "The file counts averaged updates (n_averaged): the weights under its plain names are an average themselves.",
      ]
    : []
  const set = (
    which: WeightSet["set"],
    sources: WeightSet["sources"],
    notes: readonly string[],
  ): WeightSet => ({
    set: which,
    under: commonPrefix(sources),
    sources,
    notes,
  })
  if (decay === undefined) return set("raw", raw, averaged)

  const wanted = `the spec evaluates the moving average of the weights${decay === true ? "" : ` (emaDecay ${decay})`}`
  const Wanted = wanted.replace("the", "The")
  const ema = pick(AVERAGE)
  if (ema.size === parameters.length) return set("ema", ema, [])
  if (ema.size > 0) {
    const without = parameters.filter((each) => !ema.has(each))
    throw new DataError(
      "invalid",
      subject,
      `${wanted}, and the file has it for ${ema.size} of ${parameters.length} tensors only, not for ${several(without)}; give a file with all of them, or a name map with null for the average ("${lead(ema.values().next().value!)}": null) to score the raw weights.`,
    )
  }
  const others = named.filter(
    ({ name, target }) => target !== null && !raw.has(target) && looksAveraged(name, parameters),
  )
  if (others.length > 0) {
    const first = lead(others[0]!.name)
    throw new DataError(
      "invalid",
      subject,
      `${wanted}, and the file seems to hold it by another name: ${others.length} tensors, ${several(others.map(({ name }) => name))}. Give a name map with --names: "${first}": "${AVERAGE}" where ${first}NAME is the average of NAME, or "${first}": null to leave it out and score the raw weights.`,
    )
  }
  const left = named.some(({ name, target }) => target === null && looksAveraged(name, parameters))
  return set("raw", raw, [
    ...averaged,
    averaged.length > 0
      ? `${Wanted}.`
      : left
        ? `${Wanted}; the name map leaves the file's average out, so the raw weights were scored.`
        : `${Wanted}; the file holds one set of weights, by their plain names, and does not say whether it is the average.`,
  ])
}
