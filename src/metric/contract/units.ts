/**
 * Units and the lawful conversions between them.
 *
 * Two units convert only where mathematics gives the factor: ln 2 between nats and bits, the exponential between
 * nats/token and perplexity, 100 between proportion and percent, and a *given* bytes/token between bits/token and
 * bits/byte. All of them are increasing, so they keep the order and the kind of a bound.
 */
import type { UNITS } from "./fields.js"

export type Unit = (typeof UNITS)[number]

/** A closed interval; `lo` may equal `hi`. */
export interface Interval {
  readonly lo: number
  readonly hi: number
}

export interface ConversionInputs {
  /** Bytes per token of the scored slice, with its uncertainty; needed between bits/token and bits/byte. */
  readonly bytesPerToken?: number | Interval
}

/** The units that a conversion may pass through, each step with its meaning in words. */
export interface ConversionStep {
  readonly from: Unit
  readonly to: Unit
  readonly formula: string
  readonly needs: "nothing" | "bytesPerToken"
}

/** No lawful conversion, or an input of it is missing. */
export class ConversionError extends Error {
  readonly _tag = "ConversionError"

  constructor(message: string) {
    super(message)
    this.name = "ConversionError"
  }
}

interface Rule extends ConversionStep {
  readonly apply: (value: number, bytesPerToken: number) => number
  /** Whether the result falls when bytesPerToken rises. */
  readonly fallsWithBytes?: boolean
}

const RULES: readonly Rule[] = [
  {
    from: "nats/token",
    to: "bits/token",
    formula: "bits/token = nats/token / ln 2",
    needs: "nothing",
    apply: (x) => x / Math.LN2,
  },
  {
    from: "bits/token",
    to: "nats/token",
    formula: "nats/token = bits/token * ln 2",
    needs: "nothing",
    apply: (x) => x * Math.LN2,
  },
  {
    from: "nats/token",
    to: "ppl",
    formula: "ppl = exp(nats/token)",
    needs: "nothing",
    apply: (x) => Math.exp(x),
  },
  {
    from: "ppl",
    to: "nats/token",
    formula: "nats/token = ln ppl",
    needs: "nothing",
    apply: (x) => Math.log(x),
  },
  {
    from: "bits/token",
    to: "bits/byte",
    formula: "bits/byte = bits/token / (bytes/token)",
    needs: "bytesPerToken",
    fallsWithBytes: true,
    apply: (x, ratio) => x / ratio,
  },
  {
    from: "bits/byte",
    to: "bits/token",
    formula: "bits/token = bits/byte * (bytes/token)",
    needs: "bytesPerToken",
    apply: (x, ratio) => x * ratio,
  },
  { from: "nats", to: "bits", formula: "bits = nats / ln 2", needs: "nothing", apply: (x) => x / Math.LN2 },
  { from: "bits", to: "nats", formula: "nats = bits * ln 2", needs: "nothing", apply: (x) => x * Math.LN2 },
  {
    from: "proportion",
    to: "percent",
    formula: "percent = 100 * proportion",
    needs: "nothing",
    apply: (x) => 100 * x,
  },
  {
    from: "percent",
    to: "proportion",
    formula: "proportion = percent / 100",
    needs: "nothing",
    apply: (x) => x / 100,
  },
]

const route = (from: Unit, to: Unit): readonly Rule[] | undefined => {
  const queue: { readonly unit: Unit; readonly rules: readonly Rule[] }[] = [{ unit: from, rules: [] }]
  const seen = new Set<Unit>([from])
  for (let head = queue.shift(); head !== undefined; head = queue.shift()) {
    if (head.unit === to) return head.rules
    for (const rule of RULES) {
      if (rule.from !== head.unit || seen.has(rule.to)) continue
      seen.add(rule.to)
      queue.push({ unit: rule.to, rules: [...head.rules, rule] })
    }
  }
  return undefined
}

/** The steps from one unit to another: empty when they are the same, undefined when there is no lawful way. */
export const conversionSteps = (from: Unit, to: Unit): readonly ConversionStep[] | undefined =>
  route(from, to)?.map(({ from: start, to: end, formula, needs }) => ({
    from: start,
    to: end,
    formula,
    needs,
  }))

const asInterval = (value: number | Interval): Interval =>
  typeof value === "number" ? { lo: value, hi: value } : value

/** An interval in another unit; the result holds the image of every point under every ratio. */
export const convertInterval = (
  interval: Interval,
  from: Unit,
  to: Unit,
  inputs: ConversionInputs = {},
): Interval => {
  const rules = route(from, to)
  if (rules === undefined) throw new ConversionError(`No lawful conversion leads from ${from} to ${to}.`)
  return rules.reduce<Interval>((current, rule) => {
    if (rule.needs === "nothing") return { lo: rule.apply(current.lo, 1), hi: rule.apply(current.hi, 1) }
    if (inputs.bytesPerToken === undefined)
      throw new ConversionError(
        `From ${from} to ${to} the bytes per token of the slice are needed; give bytesPerToken.`,
      )
    const ratio = asInterval(inputs.bytesPerToken)
    if (!(ratio.lo > 0) || !(ratio.hi >= ratio.lo) || !Number.isFinite(ratio.hi))
      throw new ConversionError(
        `bytesPerToken must be positive and finite, found ${ratio.lo} to ${ratio.hi}.`,
      )
    const corners = [current.lo, current.hi].flatMap((x) => [
      rule.apply(x, ratio.lo),
      rule.apply(x, ratio.hi),
    ])
    return { lo: Math.min(...corners), hi: Math.max(...corners) }
  }, interval)
}

/** A value in another unit at a known ratio. */
export const convertValue = (
  value: number,
  from: Unit,
  to: Unit,
  inputs: { readonly bytesPerToken?: number } = {},
): number => convertInterval({ lo: value, hi: value }, from, to, inputs).lo
