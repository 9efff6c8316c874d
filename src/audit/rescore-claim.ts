/**
 * A published number under the definition its kind of number has, where arithmetic leads there.
 *
 * Nothing is guessed: a conversion that needs an unstated input is refused with the name of that input, and every
 * assumption that carries weight is listed.
 */
import { boundaryEntropyBits } from "../metric/code/boundary.js"
import { convert, measured, type Measured } from "../metric/contract/bound.js"
import { FINEWEB_SP1024 } from "../metric/contract/builders.js"
import { NOT_STATED, type Contract } from "../metric/contract/contract.js"
import { DEFINITIONS, definitionFor, type DefinitionId } from "../metric/contract/registry.js"
import { noCode } from "../metric/contract/estimator-kinds.js"
import { repeatedTail, TAIL, type KnownRatio } from "./known-ratios.js"
import { knownSlice, type KnownSlice } from "./known-slices.js"
import type { ClaimNumber, Derivation, RatioSample, Rescored } from "./rescored.js"
import { rescoreShare } from "./rescore-share.js"
import { exportIsTodays, sliceStandsForSplit, type Assumption } from "./rescore-assumptions.js"
import { sampledRatio } from "../metric/contract/rescore.js"
import { ConversionError, convertInterval, type Interval, type Unit } from "../metric/contract/units.js"

/** Name of the "tokenizer" of a perplexity per white-space separated word. */
export const WORDS = "whitespace words"

export type { Assumption } from "./rescore-assumptions.js"
export type { ClaimNumber, Derivation, RatioSample, Rescored } from "./rescored.js"

/** Half a unit of the last printed digit: what rounding may have hidden. */
export const roundingHalfWidth = (printed: string): number => {
  const match = /\d*\.?\d+(?:[eE]([+-]?\d+))?/.exec(printed.replaceAll(",", ""))
  if (match === null) return 0
  const [mantissa = ""] = match[0].split(/[eE]/)
  const point = mantissa.indexOf(".")
  const decimals = point < 0 ? 0 : mantissa.length - point - 1
  return 0.5 * 10 ** (Number(match[1] ?? 0) - decimals)
}

/** What rounding or reading leaves open on either side of the printed number. */
const halfWidth = (claim: ClaimNumber): number =>
  Math.max(claim.halfWidth ?? 0, claim.exact === true ? 0 : roundingHalfWidth(claim.printed))

const around = (value: number, half: number): Interval => ({ lo: value - half, hi: value + half })

interface Ratio {
  readonly point: number
  readonly interval: Interval
  readonly formula: string
  readonly assumptions: readonly Assumption[]
}

/** The ratio of overlapping windows whose tail repeats the last targets, where the contract says so. */
const repeatedTailOf = ({ window }: Contract, slice: KnownSlice): KnownRatio | undefined => {
  if (window === NOT_STATED || (window.tail !== "A" && window.tail !== "B")) return undefined
  const { length, stride } = window
  if (length === NOT_STATED || stride !== TAIL.targets || length <= stride) return undefined
  return repeatedTail(length).find(({ tokens }) => tokens === slice.tokens)
}

/** Exact bytes per token of the claim's slice, as far as it is known. */
const ratioOf = (contract: Contract, sample: RatioSample | undefined): Ratio | undefined => {
  const { denominator, data, tokenizer } = contract
  if (denominator === NOT_STATED || tokenizer === NOT_STATED || tokenizer.id !== "sp1024") return undefined
  const tokens = "tokens" in denominator ? denominator.tokens : NOT_STATED
  if (denominator.kind === "byte-table" && denominator.bytes !== NOT_STATED && tokens !== NOT_STATED) {
    const point = denominator.bytes / tokens
    return {
      point,
      interval: around(point, 0),
      formula: `${denominator.bytes} bytes / ${tokens} tokens`,
      assumptions: [],
    }
  }
  const slice = tokens === NOT_STATED ? undefined : knownSlice(tokens)
  const tail = slice === undefined ? undefined : repeatedTailOf(contract, slice)
  if (tail !== undefined)
    return {
      point: tail.bytesPerToken,
      interval: around(tail.bytesPerToken, 0),
      formula: `the bytes per token of ${tail.name}`,
      assumptions: [],
    }
  if (slice !== undefined) {
    const point = slice.bytes / slice.tokens
    return {
      point,
      interval: around(point, 0),
      formula: `${slice.bytes} bytes / ${slice.tokens} tokens (${slice.name})`,
      assumptions: [],
    }
  }
  if (data === NOT_STATED || data.dataset !== FINEWEB_SP1024.dataset) return undefined
  const point = FINEWEB_SP1024.bytes / FINEWEB_SP1024.tokens
  const formula = `${FINEWEB_SP1024.bytes} bytes / ${FINEWEB_SP1024.tokens} tokens (the whole split)`
  const equal: Assumption = {
    text: "The scored slice has the bytes per token of the whole split.",
    mark: "inferred",
  }
  const file = exportIsTodays(contract)
  if (sample === undefined || tokens === NOT_STATED)
    return { point, interval: around(point, 0), formula, assumptions: [equal, ...file] }
  // The standard deviation is of windows of the sample's length, whatever the claim's own windows are.
  const windows = tokens / sample.windowTokens
  const interval = sampledRatio(point, sample.standardDeviation, windows)
  // Too few windows to say anything of their ratio.
  if (!(interval.lo > 0)) return { point, interval: around(point, 0), formula, assumptions: [equal, ...file] }
  const half = (interval.hi - interval.lo) / 2
  return {
    point,
    interval,
    formula,
    assumptions: [
      {
        text: `The slice, ${Math.round(windows)} windows of ${sample.windowTokens} tokens, is a sample of the split: its bytes per token lie within ${half.toFixed(4)} of the split's (95 %, standard deviation ${sample.standardDeviation} per window, windows independent).`,
        mark: "computed",
      },
      ...file,
    ],
  }
}

const freeBoundaries = (contract: Contract): boolean =>
  contract.sideInformation !== NOT_STATED && contract.sideInformation.includes("boundary-positions")

const nothing = (definition: DefinitionId, reason: string): Rescored => ({
  definition,
  status: "not-possible",
  derivation: [],
  assumptions: [],
  charges: [],
  reason,
})

const rescoreBpb = (claim: ClaimNumber, sample: RatioSample | undefined): Rescored => {
  const { contract, value } = claim
  const half = halfWidth(claim)
  const bound = contract.bound === NOT_STATED ? "unknown" : contract.bound
  const { unit, denominator } = contract
  if (unit === NOT_STATED) return nothing("bpb", "The source does not state the unit.")
  if (contract.quantity !== "negative-log-likelihood")
    return nothing("bpb", "The quantity is no negative log-likelihood.")
  if (denominator === NOT_STATED)
    return nothing("bpb", "The source does not state the denominator, so the bytes behind it are unknown.")
  const none = noCode(contract.estimator, contract.bound)
  if (none !== undefined) return nothing("bpb", none)
  const { lo, hi } = around(value, half)
  // A code length is never negative, however coarse the rounding.
  const printed = measured(bound, unit, value, { lo: Math.max(lo, Math.min(0, value)), hi })
  const ratio = ratioOf(contract, sample)
  const slice = sliceStandsForSplit(contract)
  const charges =
    freeBoundaries(contract) && ratio !== undefined
      ? [
          {
            name: "boundary positions given free",
            atMost: boundaryEntropyBits(FINEWEB_SP1024.documents / FINEWEB_SP1024.tokens) / ratio.point,
            unit: "bits/byte" as const,
            formula: `h(${FINEWEB_SP1024.documents}/${FINEWEB_SP1024.tokens}) bits per token / (bytes per token)`,
          },
        ]
      : []
  if (unit === "bits/byte" && (denominator.kind === "byte-table" || denominator.kind === "utf8")) {
    const derivation: Derivation[] =
      ratio === undefined
        ? []
        : [
            {
              formula: `bits/token = bits/byte * (${ratio.formula})`,
              result: value * ratio.point,
              unit: "bits/token",
            },
            {
              formula: "nats/token = bits/token * ln 2",
              result: value * ratio.point * Math.LN2,
              unit: "nats/token",
            },
          ]
    return {
      definition: "bpb",
      status: "unchanged",
      number: printed,
      derivation,
      assumptions: slice,
      charges,
      reason: "The denominator is already an exact byte count.",
    }
  }
  if (ratio === undefined)
    return nothing("bpb", "The exact bytes per token of the scored slice are not known.")
  const constant = denominator.kind === "constant" ? denominator.bytesPerToken : undefined
  if (constant === NOT_STATED) return nothing("bpb", "The constant of bytes per token is not stated.")
  if (unit !== "bits/byte" && unit !== "bits/token" && unit !== "nats/token" && unit !== "ppl")
    return nothing("bpb", `No lawful conversion leads from ${unit} to bits/byte.`)
  if (unit === "bits/byte" && constant === undefined)
    return nothing("bpb", `A denominator of ${denominator.kind} gives no bytes.`)
  const perToken = convert(printed, "bits/token", constant === undefined ? {} : { bytesPerToken: constant })
  const point = perToken.value / ratio.point
  const interval = convertInterval(perToken.interval, "bits/token", "bits/byte", {
    bytesPerToken: ratio.interval,
  })
  return {
    definition: "bpb",
    status: "rescored",
    number: measured(bound, "bits/byte", point, {
      lo: Math.min(interval.lo, point),
      hi: Math.max(interval.hi, point),
    }),
    derivation: [
      {
        formula:
          constant === undefined
            ? `bits/token from ${unit}`
            : `bits/token = ${claim.printed} bits/byte * ${constant} bytes/token`,
        result: perToken.value,
        unit: "bits/token",
      },
      { formula: "nats/token = bits/token * ln 2", result: perToken.value * Math.LN2, unit: "nats/token" },
      { formula: `bits/byte = bits/token / (${ratio.formula})`, result: point, unit: "bits/byte" },
    ],
    assumptions: [...ratio.assumptions, ...slice],
    charges,
    reason:
      constant === undefined
        ? "Another unit."
        : "The constant denominator is replaced by the exact byte table.",
  }
}

/** Why a perplexity is not per token, from its event and its denominator; undefined where it is. */
const perWhat = ({ unit, event, denominator, tokenizer }: Contract): string | undefined => {
  if (unit !== "ppl") return undefined
  if (event === "task-items")
    return "The perplexity is per target, the exponential of the mean over items of the sum over a target's tokens; the tokens behind it are not stated, so it is no perplexity per token."
  if (tokenizer !== NOT_STATED && tokenizer.id === WORDS)
    return "The perplexity is per word; the tokens behind it are not stated, so it is no perplexity per token."
  return event === NOT_STATED && denominator === NOT_STATED
    ? "The source does not state what the perplexity is per: a token, a word or a target."
    : undefined
}

/**
 * The claim under its definition; undefined where no definition fits its quantity.
 *
 * A unit that has no lawful conversion, or a number too large for a double on the way, is "not possible".
 */
export const rescoreClaim = (claim: ClaimNumber, sample?: RatioSample): Rescored | undefined => {
  const definition = definitionFor(claim.contract)
  if (definition === undefined) return undefined
  try {
    const rescored = rescoreUnder(definition, claim, sample)
    const { number } = rescored
    return number === undefined ||
      [number.value, number.interval.lo, number.interval.hi].every(Number.isFinite)
      ? rescored
      : nothing(definition, "The arithmetic leaves the range of a double.")
  } catch (error) {
    if (error instanceof ConversionError) return nothing(definition, error.message)
    if (error instanceof RangeError)
      return nothing(definition, "The arithmetic leaves the range of a double.")
    throw error
  }
}

const rescoreUnder = (
  definition: DefinitionId,
  claim: ClaimNumber,
  sample: RatioSample | undefined,
): Rescored => {
  if (claim.contract.unit === "ppl" && !(claim.value - halfWidth(claim) > 0))
    return nothing(definition, "A perplexity is positive, and by more than its rounding.")
  if (definition === "bpb") return rescoreBpb(claim, sample)
  const other = definition === "perplexity" ? perWhat(claim.contract) : undefined
  if (other !== undefined) return nothing(definition, other)
  const none =
    definition === "perplexity" ? noCode(claim.contract.estimator, claim.contract.bound) : undefined
  if (none !== undefined) return nothing(definition, none)
  if (definition === "accuracy" || definition === "pass-rate")
    return rescoreShare(claim, definition, halfWidth(claim))
  if (definition === "training-loss")
    return nothing(definition, "A training loss is no code length; nothing converts it to one.")
  const { unit, bound, reduction } = claim.contract
  if (unit === NOT_STATED) return nothing(definition, "The source does not state the unit.")
  const half = halfWidth(claim)
  const printed = measured(
    bound === NOT_STATED ? "unknown" : bound,
    unit,
    claim.value,
    around(claim.value, half),
  )
  const target = DEFINITIONS[definition].unit
  if (definition === "generative-perplexity" && reduction !== "exponential-of-mean")
    return nothing(
      definition,
      "The mean of perplexities does not give the perplexity of the mean; the samples' own likelihoods are needed.",
    )
  if (unit === target || target === NOT_STATED)
    return {
      definition,
      status: "unchanged",
      number: printed,
      derivation:
        unit === "ppl"
          ? [
              {
                formula: `nats/token = ln ${claim.value}`,
                result: Math.log(claim.value),
                unit: "nats/token",
              },
              {
                formula: "bits/token = nats/token / ln 2",
                result: Math.log2(claim.value),
                unit: "bits/token",
              },
            ]
          : [],
      assumptions: [],
      charges: [],
      reason:
        definition === "perplexity"
          ? "Bits per byte need the bytes per token of the slice, which the source does not state."
          : "Already in the definition's unit.",
    }
  const number = convert(printed, target) as Measured<Unit>
  return {
    definition,
    status: "rescored",
    number,
    derivation: [{ formula: `from ${unit} to ${target}`, result: number.value, unit: target }],
    assumptions: [],
    charges: [],
    reason: "Another unit.",
  }
}
