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

/** A name that says that it is of an optimiser's state. */
export const isOptimiser = (name: string): boolean => wordsOf(name).some((word) => OPTIMISER.has(word))

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

/** The words before a parameter's own name say that it is of a moving average. */
const calledAveraged = (target: string, name: string): boolean => {
  const before = name.endsWith(target) ? name.slice(0, name.length - target.length) : name
  return wordsOf(before).some((word) => AVERAGES.has(word))
}

/** What stands in front of every parameter's name in a whole copy of the network, shortest first. */
export const copiesOf = (names: readonly string[], parameters: readonly string[]): readonly string[] => {
  const [first] = parameters
  const there = new Set(names)
  return names
    .filter((name) => name.endsWith(`.${first}`) || name.endsWith(`/${first}`))
    .map((name) => name.slice(0, name.length - first!.length))
    .filter((prefix) => parameters.every((each) => there.has(prefix + each)))
    .sort((a, b) => a.length - b.length)
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
  const called = [...raw].filter(([target, name]) => calledAveraged(target, name)).map(([, name]) => name)
  if (called.length > 0 && raw.size === parameters.length && called.length < raw.size)
    throw new DataError(
      "invalid",
      subject,
      `the name map takes ${called.length} of ${parameters.length} tensors from the moving average, ${several(called)}, and the others from the weights themselves; give a file with one set for all of them.`,
    )
  const byMap = called.length > 0 && called.length === raw.size
  if (decay === undefined)
    return byMap
      ? set("ema", raw, [
          "The spec evaluates the weights themselves; the name map puts the file's moving average in their place.",
        ])
      : set("raw", raw, averaged)

  const wanted = `the spec evaluates the moving average of the weights${decay === true ? "" : ` (emaDecay ${decay})`}`
  const Wanted = wanted.replace("the", "The")
  const ema = pick(AVERAGE)
  if (ema.size === parameters.length) return set("ema", ema, [])
  if (byMap && raw.size === parameters.length) return set("ema", raw, [])
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
    const copies = copiesOf(
      others.map(({ name }) => name),
      parameters,
    )
    const copy = copies.find((each) => calledAveraged("", each)) ?? copies[0] ?? first
    const cure =
      raw.size === 0 && copies.length > 0
        ? `It has the whole network under ${copies.map((each) => `"${each}"`).join(" and ")} and none by plain names. Give a name map with --names: "${copy}": "${AVERAGE}" where that is the average, or "${copy}": "" where it is the weights themselves.`
        : !/[./]$/.test(first) || [...raw.values()].some((name) => name.startsWith(first))
          ? `Save it under a prefix of its own, such as ${AVERAGE}NAME, or without it to score the raw weights.`
          : `Give a name map with --names: "${copy}": "${AVERAGE}" where ${copy}NAME is the average of NAME, or "${first}": null to leave it out and score the raw weights.`
    throw new DataError(
      "invalid",
      subject,
      `${wanted}, and the file seems to hold it by another name: ${others.length} tensors, ${several(others.map(({ name }) => name))}. ${cure}`,
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
