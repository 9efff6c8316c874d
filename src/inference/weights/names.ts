/** From names in a checkpoint to names of a network. */
import { DataError } from "../../files/errors.js"

/**
 * Names in the file to names of the network: a whole name, or a prefix that ends in a full stop or a slash. null leaves
 * the tensor out. Longer entries come first.
 */
export type NameMap = Readonly<Record<string, string | null>>

/** The moving average of a parameter is called `ema/` and its name, in the files of this program's own runs. */
export const AVERAGE = "ema/"

/** What torch.compile, data parallelism, FSDP and activation checkpointing put into names, wherever they wrap. */
const WRAPPERS = new Set([
  "_orig_mod.",
  "module.",
  "_forward_module.",
  "_fsdp_wrapped_module.",
  "_checkpoint_wrapped_module.",
])

/** @throws DataError unless the text is a JSON object of strings and nulls */
export const parseNameMap = (text: string, subject: string): NameMap => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new DataError("invalid", subject, `this is not JSON: ${(error as Error).message}.`)
  }
  const entries =
    typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : null
  if (entries === null || !entries.every(([, to]) => typeof to === "string" || to === null))
    throw new DataError(
      "invalid",
      subject,
      'a name map is an object such as {"model.": "", "lm_head.weight": "head.weight", "unused": null}.',
    )
  return value as NameMap
}

/** Parts of a name, each with the full stop or slash that ends it. */
const partsOf = (name: string): readonly string[] => name.split(/(?<=[./])/)

/** A name without wrappers, wherever they stand. */
export const unwrap = (name: string): string =>
  partsOf(name)
    .filter((part) => !WRAPPERS.has(part))
    .join("")

/** The same, and without a `model.` that holds a compiled network: `model._orig_mod.` as a whole. */
const unwrapModel = (name: string): string => {
  const parts = partsOf(name)
  return unwrap(parts.filter((part, i) => !(part === "model." && parts[i + 1] === "_orig_mod.")).join(""))
}

const isPrefix = (rule: string): boolean => rule.endsWith(".") || rule.endsWith("/")

/** The rest of a name after a rule that fits it; undefined where it does not. */
const fit = (rule: string, name: string): string | undefined =>
  rule === name ? "" : isPrefix(rule) && name.startsWith(rule) ? name.slice(rule.length) : undefined

/** A name of the file, and what the network calls it; null where the name map leaves it out. */
export interface NamedTensor {
  readonly name: string
  readonly target: string | null
}

const targetOf = (name: string, map: NameMap, rules: readonly string[]): string | null => {
  const bare = unwrap(name)
  for (const rule of rules) {
    const rest = fit(rule, name) ?? fit(rule, bare)
    if (rest === undefined) continue
    const to = map[rule]!
    return to === null ? null : unwrap(to + rest)
  }
  return unwrapModel(name)
}

/**
 * The network's name for every tensor of a file.
 *
 * @throws DataError when two tensors get one name, or an entry of the map fits none
 */
export const nameTensors = (
  names: readonly string[],
  map: NameMap,
  subject: string,
): readonly NamedTensor[] => {
  const rules = Object.keys(map).sort((a, b) => b.length - a.length || (a < b ? -1 : 1))
  const found = new Map<string, string>()
  const named = names.map((name) => {
    const target = targetOf(name, map, rules)
    const earlier = target === null ? undefined : found.get(target)
    if (earlier !== undefined)
      throw new DataError(
        "invalid",
        subject,
        `both ${earlier} and ${name} stand for ${target}; leave one out in the name map.`,
      )
    if (target !== null) found.set(target, name)
    return { name, target }
  })
  const idle = rules.find((rule) => !names.some((n) => (fit(rule, n) ?? fit(rule, unwrap(n))) !== undefined))
  if (idle !== undefined)
    throw new DataError(
      "invalid",
      subject,
      `no tensor fits the entry "${idle}" of the name map; correct the entry, or leave it out.`,
    )
  return named
}

/** At most four names, in words. */
export const several = (names: readonly string[]): string =>
  names.length <= 4 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`

const spans = (numbers: readonly number[]): string => {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b)
  const runs: [number, number][] = []
  for (const n of sorted) {
    const last = runs.at(-1)
    if (last !== undefined && n === last[1] + 1) last[1] = n
    else runs.push([n, n])
  }
  return runs.map(([a, b]) => (a === b ? String(a) : `${a}-${b}`)).join(",")
}

/** Stands for a number in a group's name; no name holds it. */
const HOLE = "\0"

/** Names that differ in their number at place `at` alone, as one. */
const merge = (given: readonly string[], at: number): readonly string[] => {
  const groups = new Map<string, string[]>()
  for (const name of given) {
    const parts = name.split(/(?<=[./])|(?=[./])/)
    const numbers = parts.flatMap((part, i) => (/^(0|[1-9]\d*)$/.test(part) ? [i] : []))
    const place = numbers[at]
    const key = place === undefined ? name : parts.with(place, HOLE).join("")
    groups.set(key, [...(groups.get(key) ?? []), place === undefined ? "" : parts[place]!])
  }
  return [...groups].map(([key, values]) =>
    values.length === 1 ? key.replace(HOLE, values[0]!) : key.replace(HOLE, `{${spans(values.map(Number))}}`),
  )
}

/**
 * Every name, those that differ in one number alone as one: `blocks.{0-8}.attn.bias`. A group is written so only where
 * it stands for exactly its members.
 */
export const grouped = (names: readonly string[]): readonly string[] => merge(merge(merge(names, 0), 0), 1)
