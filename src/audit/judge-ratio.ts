/** Whether an inferred ratio of bytes to tokens is one that the evaluation's own tokenizer gives. */
import type { Inferred } from "./inferred.js"
import { plausible, ratiosUnder, WINDOW, type KnownRatio } from "./known-ratios.js"
import type { StatedWindows } from "./log-statements.js"
import {
  OTHER_SPLITS,
  SP1024,
  TEXT_BYTES,
  TOKENIZERS,
  tokenizersOf,
  tokenizerWithTotal,
  type Tokenizer,
} from "./tokenizer-totals.js"
import type { Interval } from "../metric/contract/units.js"

/** The longest window whose incomplete last one an evaluator is known to drop. */
const LONGEST_WINDOW = 32_768

/** Whose totals a ratio is held against, and why theirs. */
export interface HeldAgainst {
  /** Name of the tokenizer; undefined where no totals of it are known. */
  readonly tokenizer: string | undefined
  readonly why: string
  /** A person gave it: `why` says what it is. */
  readonly given?: true
}

export interface RatioVerdict {
  /**
   * agrees: a known ratio of these tokens (or, where the tokens are not given, of any slice) lies within rounding.
   * differs: no slice of these tokens can have the ratio: the known totals of the tokens exclude it, or it lies more
   * than seven standard deviations from the split's. unknown: a slice may have it, and none with these tokens is
   * known, or it is another tokenizer's, or nothing says whose it is. constant: nothing says whose it is, and it is
   * rounder than a text's ratio is once in a thousand times. coarse: the printed digits leave both possible.
   */
  readonly verdict: "agrees" | "differs" | "unknown" | "constant" | "coarse"
  readonly heldAgainst: HeldAgainst
  /** The known ratios within rounding. */
  readonly matches: readonly KnownRatio[]
  /** What the ratio is held against: the known ratio of these tokens, otherwise the whole split's. */
  readonly reference: KnownRatio | undefined
  /** inferred / reference: bits per byte are printed too low by this factor. */
  readonly factor: number | undefined
  /** Bytes by which the inferred total lies above what the reference gives for these tokens, where they are known. */
  readonly bytesApart: number | undefined
  /** The ratios that a slice of these tokens may have. */
  readonly plausible: Interval | undefined
  /** A number of at most two decimals within rounding, where it is precise enough to tell: a constant, perhaps. */
  readonly constant?: number
  /** What else the statements leave open, such as a vocabulary that the count of tokens contradicts. */
  readonly remark?: string
}

/** What is known of the evaluation beside its figures. */
export interface RatioStatements {
  /** Number of pieces of the tokenizer, as stated. */
  readonly vocabulary?: number | undefined
  readonly caseOps?: boolean | undefined
  readonly windows?: StatedWindows | undefined
}

/**
 * The roundest number within an interval narrow enough to make that remarkable.
 *
 * @param share of the distance to the next such number that the interval may cover: the chance that another has one
 */
const constantIn = ({ lo, hi }: Interval, share = 0.01): number | undefined => {
  for (const step of [1, 0.1, 0.01]) {
    const candidate = Math.round((lo + hi) / 2 / step) * step
    if (hi - lo < step * share && candidate >= lo - 1e-12 && candidate <= hi + 1e-12)
      return Number(candidate.toFixed(2))
  }
  return undefined
}

/** The chance, at most, that a text's own ratio is called a constant. */
const CONSTANT_BY_CHANCE = 0.001

/** What can only be a constant: within the digits, or within a millionth of tenths, where sums were rounded before. */
const surelyConstant = ({ bytesPerToken, interval }: Inferred): number | undefined => {
  const tenths = Math.round(bytesPerToken * 10)
  return (
    constantIn(interval, CONSTANT_BY_CHANCE) ??
    (Math.abs(bytesPerToken * 10 - tenths) < 1e-5 ? tenths / 10 : undefined)
  )
}

/** Half a byte in so many tokens, and the rounding of doubles: no total is finer. */
const slack = (tokens: number): number => 0.5 / tokens + 1e-12

/** The validation text under another tokenizer: other tokens, the same bytes, up to an incomplete last window. */
const sameText = ({ lo, hi }: Interval, tokens: number, name: string): KnownRatio | undefined =>
  hi * tokens >= TEXT_BYTES - LONGEST_WINDOW * hi && lo * tokens <= TEXT_BYTES + 50_000
    ? {
        name: `the bytes of the validation text, under another tokenizer${name}`,
        tokens,
        bytesPerToken: TEXT_BYTES / tokens,
      }
    : undefined

interface Reached {
  readonly verdict: RatioVerdict["verdict"]
  readonly matches: readonly KnownRatio[]
  readonly reference: KnownRatio | undefined
  readonly plausible: Interval | undefined
}

const tooCoarse = (interval: Interval, any: Interval, outside: boolean): boolean =>
  !outside && (interval.lo < any.lo || interval.hi > any.hi)

/** Against the listed slices of one tokenizer, the whole split first. */
const againstSlices = (
  { interval }: Inferred,
  tokens: number | undefined,
  known: readonly [KnownRatio, ...KnownRatio[]],
  name: string,
): Reached => {
  const within = ({ bytesPerToken: ratio, tokens: own }: KnownRatio): boolean =>
    ratio >= interval.lo - slack(own) && ratio <= interval.hi + slack(own)
  const same = tokens === undefined ? known : known.filter((ratio) => ratio.tokens === tokens)
  const exact = tokens !== undefined && same.length > 0
  const text =
    tokens === undefined || (exact && name === SP1024.name)
      ? undefined
      : sameText(interval, tokens, name === SP1024.name ? "" : ` (${name})`)
  const any = plausible(known[0].bytesPerToken, WINDOW.tokens)
  const band = tokens === undefined ? any : plausible(known[0].bytesPerToken, tokens)
  const outside = interval.hi < band.lo || interval.lo > band.hi
  const coarse = tooCoarse(interval, any, outside)
  const listed = same.filter(within)
  const matches = coarse ? [] : listed.length > 0 ? listed : text === undefined ? [] : [text]
  return {
    verdict: coarse ? "coarse" : matches.length > 0 ? "agrees" : outside || exact ? "differs" : "unknown",
    matches,
    reference: matches[0] ?? (exact ? same[0] : undefined) ?? known[0],
    plausible: band,
  }
}

const wholeSplit = ({ name, totals }: Tokenizer): readonly [KnownRatio, ...KnownRatio[]] => {
  const [first, ...rest] = totals.map(({ tokens, bytes }) => ({
    name: `the bytes of the validation text, under another tokenizer (${name})`,
    tokens,
    bytesPerToken: (bytes ?? TEXT_BYTES) / tokens,
  }))
  return [first!, ...rest]
}

/** Several tokenizers may be meant: one that agrees is the one; the ratio differs where it differs from all. */
const againstAny = (
  inferred: Inferred,
  tokens: number | undefined,
  candidates: readonly Tokenizer[],
): Reached => {
  const reached = candidates.map((each) => againstSlices(inferred, tokens, wholeSplit(each), each.name))
  for (const verdict of ["agrees", "coarse", "unknown"] as const) {
    const found = reached.find((each) => each.verdict === verdict)
    if (found !== undefined) return found
  }
  return reached[0]!
}

/** No totals are known: only that the whole text has its bytes under every tokenizer. */
const againstText = ({ interval }: Inferred, tokens: number | undefined): Reached => {
  const text = tokens === undefined ? undefined : sameText(interval, tokens, "")
  const coarse = interval.hi > 2 * interval.lo
  return {
    verdict: coarse ? "coarse" : text === undefined ? "unknown" : "agrees",
    matches: coarse || text === undefined ? [] : [text],
    reference: coarse ? undefined : text,
    plausible: undefined,
  }
}

interface Judged {
  readonly reached: Reached
  readonly heldAgainst: HeldAgainst
  readonly remark?: string | undefined
}

const contradiction = (
  vocabulary: number | undefined,
  stated: readonly Tokenizer[],
  tokens: number,
  held: Tokenizer,
): string | undefined =>
  vocabulary === undefined || stated.some(({ id }) => id === held.id)
    ? undefined
    : `a vocabulary of ${vocabulary} is stated, and ${tokens} tokens are a total of ${held.name}`

const judge = (inferred: Inferred, tokens: number | undefined, statements: RatioStatements): Judged => {
  const { vocabulary, caseOps, windows } = statements
  const pieces = vocabulary === undefined ? [] : tokenizersOf(vocabulary)
  const special = pieces.filter(({ id }) => id.endsWith("-caseops"))
  const stated = caseOps === true && special.length > 0 ? special : pieces
  const why = vocabulary === undefined ? "no vocabulary is stated" : `a vocabulary of ${vocabulary} is stated`
  const slices = ratiosUnder(windows)
  const ofSp1024 = () => againstSlices(inferred, tokens, slices, SP1024.name)
  if (tokens !== undefined && slices.some((slice) => slice.tokens === tokens))
    return {
      reached: ofSp1024(),
      heldAgainst: { tokenizer: SP1024.name, why: "the count of tokens is one of its totals" },
      remark: contradiction(vocabulary, stated, tokens, SP1024),
    }
  const owner = tokens === undefined ? undefined : tokenizerWithTotal(tokens)
  if (tokens !== undefined && owner !== undefined)
    return {
      reached: againstTotal(inferred, tokens, owner),
      heldAgainst: { tokenizer: owner.name, why: "the count of tokens is its total" },
      remark: contradiction(vocabulary, stated, tokens, owner),
    }
  if (stated.some(({ id }) => id === SP1024.id))
    return { reached: ofSp1024(), heldAgainst: { tokenizer: SP1024.name, why } }
  if (stated.length > 0)
    return {
      reached: againstAny(inferred, tokens, stated),
      heldAgainst: { tokenizer: stated.map(({ name }) => name).join(" or "), why },
    }
  if (vocabulary !== undefined)
    return { reached: againstText(inferred, tokens), heldAgainst: { tokenizer: undefined, why } }
  const other = OTHER_SPLITS.find((split) => split.tokens === tokens)
  if (other !== undefined)
    return {
      reached: againstText(inferred, tokens),
      heldAgainst: { tokenizer: undefined, why: `${other.tokens} are ${other.name}` },
    }
  return unstated(inferred, tokens, ofSp1024())
}

/** The whole split's count of a tokenizer: its bytes are the text's, up to an incomplete last window. */
const againstTotal = (inferred: Inferred, tokens: number, owner: Tokenizer): Reached => {
  const reached = againstSlices(inferred, tokens, wholeSplit(owner), owner.name)
  return reached.verdict === "unknown" ? { ...reached, verdict: "differs" } : reached
}

const WHOSE = "say whose it is with --vocab, --tokenizer, --bytes-per-token or --total"

/** No vocabulary and no known count: a ratio that is known is recognised; of another it is said what it is, alone. */
const unstated = (inferred: Inferred, tokens: number | undefined, first: Reached): Judged => {
  const why = "no vocabulary is stated"
  if (first.verdict === "agrees" || first.verdict === "coarse")
    return { reached: first, heldAgainst: { tokenizer: SP1024.name, why } }
  const others = TOKENIZERS.filter(({ id }) => id !== SP1024.id)
  const other = tokens === undefined ? againstAny(inferred, tokens, others) : againstText(inferred, tokens)
  if (other.verdict === "agrees")
    return { reached: other, heldAgainst: { tokenizer: other.matches[0]!.name, why } }
  const constant = surelyConstant(inferred) !== undefined
  return {
    reached: {
      verdict: constant ? "constant" : "unknown",
      matches: [],
      reference: undefined,
      plausible: undefined,
    },
    heldAgainst: { tokenizer: undefined, why },
    remark: WHOSE,
  }
}

/**
 * Whether an inferred ratio is one that the exact byte table of the evaluation's own tokenizer gives.
 *
 * Where neither a vocabulary nor the count of tokens says whose the ratio is, known ratios are recognised, and nothing
 * is presumed of another.
 *
 * @param tokens scored tokens, where known
 * @param statements what the log says beside
 */
export const judgeRatio = (
  inferred: Inferred,
  tokens?: number,
  statements: RatioStatements = {},
): RatioVerdict => {
  const { reached, heldAgainst, remark } = judge(inferred, tokens, statements)
  const { verdict, matches, reference, plausible: band } = reached
  const constant =
    verdict === "agrees" || verdict === "coarse"
      ? undefined
      : (constantIn(inferred.interval) ?? (verdict === "constant" ? surelyConstant(inferred) : undefined))
  return {
    verdict,
    heldAgainst,
    matches,
    reference,
    factor: reference === undefined ? undefined : inferred.bytesPerToken / reference.bytesPerToken,
    bytesApart:
      reference === undefined || tokens === undefined
        ? undefined
        : (inferred.bytesPerToken - reference.bytesPerToken) * tokens,
    plausible: band,
    ...(constant === undefined ? {} : { constant }),
    ...(remark === undefined ? {} : { remark }),
  }
}
