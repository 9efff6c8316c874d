/** One rule per axis of a contract: how two values of one field stand to each other, and why. */
import { NOT_STATED, type Contract } from "./contract.js"
import type { DataPolicy, Denominator, Estimator } from "./fields.js"
import {
  convertible,
  different,
  digits,
  equal,
  noted,
  ordered,
  same,
  silentSide,
  unknown,
  type Circumstances,
  type Outcome,
} from "./compare-outcomes.js"
import { FINEWEB_SP1024 } from "./builders.js"
import { acrossTokenizers, coverage, specials, windows } from "./compare-scope.js"
import { isCode, isExactCode } from "./estimator-kinds.js"
import { conversionSteps } from "./units.js"

export type { AxisRelation } from "./compare-outcomes.js"

export interface AxisVerdict extends Outcome {
  readonly axis: Axis
}

export const AXES = [
  "quantity",
  "unit",
  "bound",
  "event",
  "estimator",
  "denominator",
  "window",
  "specials",
  "sideInformation",
  "data",
  "coverage",
  "tokenizer",
  "reduction",
  "grader",
  "selection",
  "precision",
  "seeds",
] as const
export type Axis = (typeof AXES)[number]

type Stated<A> = Exclude<A, typeof NOT_STATED>

const estimators = (a: Estimator, b: Estimator): Outcome => {
  if (equal(a, b)) return same(`both: ${a.kind}`)
  if (a.kind === b.kind) {
    const differing = Object.keys(a).filter(
      (key) => !equal(a[key as keyof typeof a], b[key as keyof typeof b]),
    )
    const words = differing
      .map((key) => `${key} ${String(a[key as keyof typeof a])} against ${String(b[key as keyof typeof b])}`)
      .join(", ")
    if (a.kind === "chain-rule") return ordered(`${words}: code lengths of two factorisations`)
    if (isCode(a.kind)) {
      const meaning = differing.filter((key) => key !== "draws")
      return meaning.length === 0
        ? noted(`${words}: more draws lower the noise, not the expectation`)
        : ordered(`${words}: each is a bound on its own chain, neither bounds the other`)
    }
    const defining = differing.filter((key) =>
      ["attempts", "shots", "judge", "maxTokens", "weight"].includes(key),
    )
    return defining.length > 0 ? different(words) : noted(`${words}: settings of the run`)
  }
  if (!isCode(a.kind) || !isCode(b.kind))
    return different(`${a.kind} and ${b.kind}: at least one of them is no code length`)
  if (isExactCode(a.kind) && isExactCode(b.kind))
    return same(`${a.kind} and ${b.kind}: both are exact code lengths`)
  return ordered(`${a.kind} and ${b.kind}: code lengths of different tightness`)
}

/** Bytes per token that a denominator says, where it says so. */
export const statedBytesPerToken = (denominator: Contract["denominator"]): number | undefined => {
  if (denominator === NOT_STATED) return undefined
  if (denominator.kind === "constant")
    return denominator.bytesPerToken === NOT_STATED ? undefined : denominator.bytesPerToken
  if (denominator.kind !== "byte-table") return undefined
  const { bytes, tokens } = denominator
  return bytes === NOT_STATED || tokens === NOT_STATED ? undefined : bytes / tokens
}

/** Exact bytes per token of the split that a contract's own text comes from, as re-scoring takes them. */
const ownRatio = ({ data, tokenizer }: Contract): number | undefined =>
  data !== NOT_STATED &&
  data.dataset === FINEWEB_SP1024.dataset &&
  data.split === FINEWEB_SP1024.split &&
  (tokenizer === NOT_STATED || tokenizer.id === "sp1024") &&
  exportOf(data) === TODAYS_EXPORT
    ? FINEWEB_SP1024.bytes / FINEWEB_SP1024.tokens
    : undefined

const denominators = (
  a: Denominator,
  b: Denominator,
  [first, second]: readonly [Contract, Contract],
): Outcome => {
  if (a.kind === b.kind) {
    if (a.kind !== "constant" || b.kind !== "constant") return same(`both: ${a.kind}`)
    if (a.bytesPerToken === NOT_STATED || b.bytesPerToken === NOT_STATED)
      return unknown("a constant of bytes per token is not stated")
    if (a.bytesPerToken === b.bytesPerToken)
      return same(`both: the constant ${a.bytesPerToken} bytes per token`)
    return convertible(
      `constants ${a.bytesPerToken} and ${b.bytesPerToken} bytes per token`,
      `multiply by ${a.bytesPerToken}/${b.bytesPerToken}`,
    )
  }
  const kinds = `${a.kind} and ${b.kind}`
  const pair = new Set([a.kind, b.kind])
  if (pair.has("constant") && (pair.has("byte-table") || pair.has("utf8"))) {
    const constant = a.kind === "constant" ? a : b
    const table = a.kind === "constant" ? b : a
    const value = statedBytesPerToken(constant)
    const ratio = ownRatio(a.kind === "constant" ? first : second) ?? statedBytesPerToken(table)
    if (value === undefined) return unknown("the constant of bytes per token is not stated")
    if (ratio === undefined)
      return unknown("one divides by a constant, the other by counted bytes whose total is not stated")
    const factor = value / ratio
    const own = "bytes per token of the constant's own slice"
    return convertible(
      `the constant ${value} bytes per token stands against ${digits(ratio)} of the exact byte table`,
      a.kind === "constant"
        ? `multiply by ${value}/(${own}), which is ${value}/${digits(ratio)} = ${digits(factor)} if the slices agree`
        : `multiply by (${own})/${value}, which is ${digits(ratio)}/${value} = ${digits(1 / factor)} if the slices agree`,
    )
  }
  if (pair.has("byte-table") && pair.has("utf8"))
    return convertible(kinds, "the two byte counts differ by named terms: leading spaces after a boundary")
  if (pair.has("tokens") && (pair.has("byte-table") || pair.has("constant"))) {
    const ratio = statedBytesPerToken(a.kind === "tokens" ? b : a)
    if (ratio === undefined) return unknown("the bytes per token between the two denominators are not stated")
    return convertible(
      kinds,
      a.kind === "tokens"
        ? `bits/byte = bits/token / ${digits(ratio)}`
        : `bits/token = bits/byte * ${digits(ratio)}`,
    )
  }
  return different(kinds)
}

const TODAYS_EXPORT = `${FINEWEB_SP1024.tokens} tokens`

/** The version of the file; an unstated one of the FineWeb split is taken to be today's, as re-scoring takes it. */
const exportOf = ({ dataset, split, export: version }: DataPolicy): string =>
  version === NOT_STATED && dataset === FINEWEB_SP1024.dataset && split === FINEWEB_SP1024.split
    ? TODAYS_EXPORT
    : version

const exportWords = (data: DataPolicy): string =>
  data.export === NOT_STATED ? `${exportOf(data)} (not stated, taken to be today's)` : data.export

const otherTokenizers = (a: Contract, b: Contract): boolean =>
  a.tokenizer !== NOT_STATED &&
  b.tokenizer !== NOT_STATED &&
  a.tokenizer.id !== NOT_STATED &&
  b.tokenizer.id !== NOT_STATED &&
  a.tokenizer.id !== b.tokenizer.id

const BYTE_UNITS = new Set(["bits/byte"])
const SELECTED_ON_REPORT = "best-on-report-split"
const CHARGEABLE = new Set(["boundary-positions", "document-lengths"])

type Rules = { readonly [K in Axis]: (a: Contract, b: Contract, circumstances: Circumstances) => Outcome }

/** A rule over one stated field: not stated is unknown, or open where a definition leaves it so. */
const field =
  <K extends keyof Contract>(
    key: K,
    rule: (a: Stated<Contract[K]>, b: Stated<Contract[K]>, circumstances: Circumstances) => Outcome,
    silent: (reason: string) => Outcome = unknown,
  ) =>
  (a: Contract, b: Contract, circumstances: Circumstances): Outcome => {
    if (b[key] === NOT_STATED && circumstances.definition)
      return { relation: "open", reason: "the definition leaves this open" }
    if (a[key] === NOT_STATED || b[key] === NOT_STATED)
      return silent(silentSide(a[key] === NOT_STATED, b[key] === NOT_STATED))
    return rule(a[key] as Stated<Contract[K]>, b[key] as Stated<Contract[K]>, circumstances)
  }

export const AXIS_RULES: Rules = {
  quantity: field("quantity", (a, b) => (a === b ? same(`both: ${a}`) : different(`${a} and ${b}`))),
  unit: field("unit", (a, b) => {
    if (a === b) return same(`both: ${a}`)
    const steps = conversionSteps(a, b)
    if (steps === undefined) return different(`no lawful conversion leads from ${a} to ${b}`)
    return convertible(`${a} and ${b}`, steps.map((step) => step.formula).join("; "))
  }),
  bound: field("bound", (a, b) => {
    if (a === "unknown" || b === "unknown") return unknown("the kind of bound of one value is unknown")
    if (a === b)
      return same(
        a === "exact" || a === "estimate"
          ? `both: ${a}`
          : `both: ${a}; the order of two bounds is not the order of what they bound`,
      )
    if (a === "estimate" || b === "estimate")
      return different(`${a} and ${b}: from an estimate that bounds nothing no order follows`)
    return ordered(`${a} and ${b}`)
  }),
  event: field("event", (a, b) => {
    if (a === b) return same(`both: ${a}`)
    const pair = new Set([a, b])
    return pair.has("every-target") && pair.has("maskable-targets")
      ? convertible(
          `the ${a === "maskable-targets" ? "first" : "second"} leaves out targets that are never masked`,
          `add the cost of transmitting the free positions${a === "maskable-targets" ? "" : " to the second"}`,
        )
      : different(`${a} and ${b}`)
  }),
  estimator: field("estimator", estimators),
  denominator: (a, b, circumstances) => {
    const outcome = field("denominator", (x, y) => denominators(x, y, [a, b]))(a, b, circumstances)
    return outcome.relation === "convertible" && otherTokenizers(a, b)
      ? unknown(`${outcome.reason}; the bytes per token of one tokenizer say nothing of another's`)
      : outcome
  },
  window: windows,
  specials,
  sideInformation: field("sideInformation", (a, b) => {
    const differing = [...a.filter((item) => !b.includes(item)), ...b.filter((item) => !a.includes(item))]
    if (differing.length === 0)
      return same(a.length === 0 ? "nothing is given free" : `both: ${a.join(", ")}`)
    const words = differing.join(", ")
    if (differing.every((item) => CHARGEABLE.has(item))) {
      const cost = `add the cost of transmitting the ${differing.map((item) => item.replace("-", " ")).join(" and the ")}`
      return convertible(
        `${words} given free in one of them`,
        differing.every((item) => a.includes(item))
          ? cost
          : differing.every((item) => b.includes(item))
            ? `${cost} to the second`
            : `${cost} to the one that has it free`,
      )
    }
    if (differing.every((item) => CHARGEABLE.has(item) || item === "test-time-training"))
      return ordered(`${words}: an adaptive code against a fixed one`)
    return different(`${words} in one of them only`)
  }),
  data: field("data", (a, b, { definition }) => {
    for (const key of ["dataset", "split"] as const) {
      if (b[key] === NOT_STATED || a[key] === NOT_STATED) {
        if (a[key] !== b[key] || a[key] === NOT_STATED) return unknown(`the ${key} is not stated`)
      } else if (a[key] !== b[key]) return different(`${key} ${a[key]} against ${b[key]}`)
    }
    if (a.export !== NOT_STATED && b.export !== NOT_STATED && a.export !== b.export) {
      const words = `two exports of the split: ${a.export} against ${b.export}`
      // A definition has no number: its text stands for what the split holds today.
      return definition
        ? convertible(words, "treat both as samples of one text and add their sampling error")
        : different(`${words}: other text, so that neither a conversion nor an order leads across`)
    }
    if (!definition && exportOf(a) !== exportOf(b))
      return noted(
        `${a.dataset}, ${a.split}; export ${exportWords(a)} against ${exportWords(b)}: if so, other text`,
      )
    return same(`${a.dataset}, ${a.split}`)
  }),
  coverage: (a, b, circumstances) => field("data", (x, y) => coverage(a, b, x, y))(a, b, circumstances),
  tokenizer: (a, b, circumstances) => {
    const perByte = [a.unit, b.unit].every((unit) => unit !== NOT_STATED && BYTE_UNITS.has(unit))
    const graded = [a.quantity, b.quantity].every(
      (quantity) => quantity === "accuracy" || quantity === "pass-rate",
    )
    const other = (words: string): Outcome => (graded ? noted(words) : acrossTokenizers(a, b, words))
    return field(
      "tokenizer",
      (x, y) => {
        if (x.id === NOT_STATED || y.id === NOT_STATED)
          return perByte || graded ? other("a tokenizer is not stated") : unknown("a tokenizer is not stated")
        if (x.id !== y.id) {
          const words = `${x.id} and ${y.id}`
          return perByte || graded ? other(words) : different(`${words}: a token is another amount of text`)
        }
        if (x.digest !== NOT_STATED && y.digest !== NOT_STATED && x.digest !== y.digest)
          return different(`two models under the name ${x.id}`)
        return same(x.id)
      },
      perByte || graded ? other : unknown,
    )(a, b, circumstances)
  },
  reduction: field("reduction", (a, b) => {
    if (a === b) return same(`both: ${a}`)
    const pair = new Set([a, b])
    return pair.has("ratio-of-sums") && pair.has("exponential-of-mean")
      ? same(`${a} and ${b}: the exponential of one and the same mean`)
      : different(`${a} and ${b}`)
  }),
  grader: field("grader", (a, b) => (a === b ? same(a) : different(`"${a}" and "${b}"`))),
  selection: field(
    "selection",
    (a, b) => {
      if (a === b) return same(a)
      const words = `${a} against ${b}`
      return a === SELECTED_ON_REPORT || b === SELECTED_ON_REPORT
        ? ordered(`${words}: the best of several on the reported text flatters by an unknown amount`)
        : noted(words)
    },
    noted,
  ),
  precision: field("precision", (a, b) => (a === b ? same(a) : noted(`${a} against ${b}`)), noted),
  seeds: field(
    "seeds",
    (a, b) =>
      equal(a, b) ? same(`seeds ${a.join(", ")}`) : noted(`seeds ${a.join(", ")} against ${b.join(", ")}`),
    noted,
  ),
}
