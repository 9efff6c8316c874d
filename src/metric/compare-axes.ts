/** One rule per axis of a contract: how two values of one field stand to each other, and why. */
import { NOT_STATED, type Contract } from "./contract.js"
import type { Denominator, Estimator } from "./contract-fields.js"
import { conversionSteps } from "./units.js"

/**
 * same: no difference. noted: a difference that leaves the definition alone (a seed, a precision). open: the definition
 * compared against does not fix this field. convertible: arithmetic leads from one to the other. ordered: both are code
 * lengths, and only an order follows. different: no arithmetic leads across. unknown: a source does not say.
 */
export type AxisRelation = "same" | "noted" | "open" | "convertible" | "ordered" | "different" | "unknown"

export interface AxisVerdict {
  readonly axis: Axis
  readonly relation: AxisRelation
  readonly reason: string
  /** The arithmetic, where there is any. */
  readonly conversion?: string
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

type Outcome = Omit<AxisVerdict, "axis">
type Stated<A> = Exclude<A, typeof NOT_STATED>

const same = (reason: string): Outcome => ({ relation: "same", reason })
const noted = (reason: string): Outcome => ({ relation: "noted", reason })
const different = (reason: string): Outcome => ({ relation: "different", reason })
const ordered = (reason: string): Outcome => ({ relation: "ordered", reason })
const unknown = (reason: string): Outcome => ({ relation: "unknown", reason })
const convertible = (reason: string, conversion: string): Outcome => ({
  relation: "convertible",
  reason,
  conversion,
})

const equal = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
const digits = (x: number, n = 7): string => String(Number(x.toPrecision(n)))

/** Estimators whose value is the length of a code that both sides can run. */
const CODES = new Set<Estimator["kind"]>([
  "discrete-elbo",
  "continuous-elbo",
  "any-order",
  "chain-rule",
  "block-elbo",
  "importance-weighted",
  "autoregressive",
])
const EXACT_CODES = new Set<Estimator["kind"]>(["chain-rule", "autoregressive"])

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
    if (CODES.has(a.kind)) {
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
  if (!CODES.has(a.kind) || !CODES.has(b.kind))
    return different(`${a.kind} and ${b.kind}: at least one of them is no code length`)
  if (EXACT_CODES.has(a.kind) && EXACT_CODES.has(b.kind))
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

const denominators = (a: Denominator, b: Denominator): Outcome => {
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
    const ratio = statedBytesPerToken(table)
    if (value === undefined) return unknown("the constant of bytes per token is not stated")
    if (ratio === undefined) return unknown("the exact bytes per token of the slice are not stated")
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
    return ratio === undefined
      ? unknown("the bytes per token between the two denominators are not stated")
      : convertible(kinds, `bits/byte = bits/token / ${digits(ratio)}`)
  }
  return different(kinds)
}

const BYTE_UNITS = new Set(["bits/byte"])
const CHARGEABLE = new Set(["boundary-positions", "document-lengths"])

type Rules = { readonly [K in Axis]: (a: Contract, b: Contract, definition: boolean) => Outcome }

/** A rule over one stated field: not stated is unknown, or open where a definition leaves it so. */
const field =
  <K extends keyof Contract>(
    key: K,
    rule: (a: Stated<Contract[K]>, b: Stated<Contract[K]>) => Outcome,
    silent: (reason: string) => Outcome = unknown,
  ) =>
  (a: Contract, b: Contract, definition: boolean): Outcome => {
    if (b[key] === NOT_STATED && definition)
      return { relation: "open", reason: "the definition leaves this open" }
    if (a[key] === NOT_STATED && b[key] === NOT_STATED) return silent("neither source states it")
    if (a[key] === NOT_STATED) return silent("the first source does not state it")
    if (b[key] === NOT_STATED) return silent("the second source does not state it")
    return rule(a[key] as Stated<Contract[K]>, b[key] as Stated<Contract[K]>)
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
          "one of them leaves out targets that are never masked",
          "add the cost of transmitting the free positions",
        )
      : different(`${a} and ${b}`)
  }),
  estimator: field("estimator", estimators),
  denominator: field("denominator", denominators),
  window: field(
    "window",
    (a, b) => {
      const differing = (["length", "stride", "alignment"] as const).filter(
        (key) => a[key] !== NOT_STATED && b[key] !== NOT_STATED && a[key] !== b[key],
      )
      if (differing.length > 0)
        return ordered(
          `${differing.map((key) => `${key} ${a[key]} against ${b[key]}`).join(", ")}: other context for the same text`,
        )
      if (a.tail !== b.tail && a.tail !== NOT_STATED && b.tail !== NOT_STATED)
        return noted(`tail rule ${a.tail} against ${b.tail}: about 1e-5 relative`)
      return same("the same windows as far as stated")
    },
    noted,
  ),
  specials: field(
    "specials",
    (a, b) => {
      const names = ["bos", "eos", "pad", "mask"] as const
      const differing = names.filter((name) => !equal(a[name], b[name]))
      if (differing.length === 0) return same("the same treatment")
      const charged = (name: (typeof names)[number], contract: typeof a) => {
        const inclusion = contract[name]
        return inclusion === NOT_STATED ? NOT_STATED : inclusion.numerator
      }
      const free = differing.filter(
        (name) =>
          [charged(name, a), charged(name, b)].includes("free") && charged(name, a) !== charged(name, b),
      )
      return free.length > 0
        ? convertible(
            `${free.join(", ")} free in one of them`,
            "add the cost of transmitting the free positions",
          )
        : noted(`${differing.join(", ")} treated differently or not stated`)
    },
    noted,
  ),
  sideInformation: field("sideInformation", (a, b) => {
    const differing = [...a.filter((item) => !b.includes(item)), ...b.filter((item) => !a.includes(item))]
    if (differing.length === 0)
      return same(a.length === 0 ? "nothing is given free" : `both: ${a.join(", ")}`)
    const words = differing.join(", ")
    if (differing.every((item) => CHARGEABLE.has(item)))
      return convertible(`${words} given free in one of them`, "add the cost of transmitting it")
    if (differing.every((item) => CHARGEABLE.has(item) || item === "test-time-training"))
      return ordered(`${words}: an adaptive code against a fixed one`)
    return different(`${words} in one of them only`)
  }),
  data: field("data", (a, b) => {
    for (const key of ["dataset", "split"] as const) {
      if (b[key] === NOT_STATED || a[key] === NOT_STATED) {
        if (a[key] !== b[key] || a[key] === NOT_STATED) return unknown(`the ${key} is not stated`)
      } else if (a[key] !== b[key]) return different(`${key} ${a[key]} against ${b[key]}`)
    }
    if (a.export !== NOT_STATED && b.export !== NOT_STATED && a.export !== b.export)
      return convertible(
        `two exports of the split: ${a.export} against ${b.export}`,
        "treat both as samples of one text and add their sampling error",
      )
    return same(`${a.dataset}, ${a.split}`)
  }),
  coverage: field("data", (a, b) => {
    if (a.coverage === NOT_STATED || b.coverage === NOT_STATED) return unknown("the coverage is not stated")
    if (Math.abs(a.coverage - b.coverage) < 1e-3)
      return a.slice === b.slice || a.slice === NOT_STATED || b.slice === NOT_STATED || a.coverage > 0.999
        ? same(`coverage ${digits(100 * a.coverage, 4)} %`)
        : noted(`equal coverage; slices "${a.slice}" and "${b.slice}"`)
    return convertible(
      `coverage ${digits(100 * a.coverage, 3)} % against ${digits(100 * b.coverage, 3)} %`,
      "treat the smaller slice as a sample and add its sampling error",
    )
  }),
  tokenizer: (a, b, definition) => {
    const perByte = [a.unit, b.unit].every((unit) => unit !== NOT_STATED && BYTE_UNITS.has(unit))
    const graded = [a.quantity, b.quantity].every(
      (quantity) => quantity === "accuracy" || quantity === "pass-rate",
    )
    return field(
      "tokenizer",
      (x, y) => {
        if (x.id === NOT_STATED || y.id === NOT_STATED)
          return perByte || graded ? noted("a tokenizer is not stated") : unknown("a tokenizer is not stated")
        if (x.id !== y.id) {
          const words = `${x.id} and ${y.id}`
          return perByte || graded
            ? noted(`${words}: bytes and items do not depend on the tokenizer`)
            : different(`${words}: a token is another amount of text`)
        }
        if (x.digest !== NOT_STATED && y.digest !== NOT_STATED && x.digest !== y.digest)
          return different(`two models under the name ${x.id}`)
        return same(x.id)
      },
      perByte || graded ? noted : unknown,
    )(a, b, definition)
  },
  reduction: field("reduction", (a, b) => {
    if (a === b) return same(`both: ${a}`)
    const pair = new Set([a, b])
    return pair.has("ratio-of-sums") && pair.has("exponential-of-mean")
      ? same(`${a} and ${b}: the exponential of one and the same mean`)
      : different(`${a} and ${b}`)
  }),
  grader: field("grader", (a, b) => (a === b ? same(a) : different(`"${a}" and "${b}"`))),
  selection: field("selection", (a, b) => (a === b ? same(a) : noted(`${a} against ${b}`)), noted),
  precision: field("precision", (a, b) => (a === b ? same(a) : noted(`${a} against ${b}`)), noted),
  seeds: field(
    "seeds",
    (a, b) =>
      equal(a, b) ? same(`seeds ${a.join(", ")}`) : noted(`seeds ${a.join(", ")} against ${b.join(", ")}`),
    noted,
  ),
}
