/** Pairs of loss and bits per byte in log files, and the denominators behind them. */
import {
  inferRatio,
  judgeRatio,
  KNOWN_RATIOS,
  type Inferred,
  type RatioStatements,
  type RatioVerdict,
} from "./infer.js"
import {
  readStatements,
  type LogStatements,
  type RefusedStatement,
  type Statement,
} from "./log-statements.js"
import { logLines } from "./log-text.js"
import { printedCount, printedFigure } from "./printed-count.js"
import { roundingHalfWidth } from "./rescore-claim.js"
import { tokenizerWithTotal } from "./tokenizer-totals.js"

/** Two figures of one line as they stand there. */
interface RawPair {
  readonly label: string
  readonly loss: string
  readonly bpb: string
}

/** How a kind of log prints its figures. */
export interface LogPreset {
  readonly id: string
  readonly title: string
  /** Every pair of a line. */
  readonly pairs: (line: string) => readonly RawPair[]
  readonly lossUnit: "nats/token" | "bits/token"
  /** Labels whose two figures are not of the same event, with the reason. */
  readonly unlike: readonly { readonly label: RegExp; readonly reason: string }[]
  /** Whether figures that are no numbers are errors of the pattern rather than of the log. */
  readonly strict?: boolean
}

/** A figure ends at a blank or a mark; a comma or a hard space before a digit is part of it. */
const RAW = String.raw`(?:[^\s,;|{}()\[\]"]|[,\u00a0\u2009\u202f](?=\d))+`

const FIELD_LOSS = String.raw`val[_/ ]?loss`

/** Fields `name: value` of the given names that stand in one line, paired in the order in which they come. */
const fieldPairs = (bpbName: string): LogPreset["pairs"] => {
  const field = new RegExp(
    String.raw`\b(?:(?<loss>${FIELD_LOSS})|(?<bpb>${bpbName}))"?\s*[:=]\s*"?(?<raw>${RAW})`,
    "gi",
  )
  return (line) => {
    const pairs: RawPair[] = []
    let open: { readonly key: "loss" | "bpb"; readonly raw: string; readonly label: string } | undefined
    let end = 0
    for (const match of line.matchAll(field)) {
      const groups = match.groups ?? {}
      const key = groups["loss"] === undefined ? ("bpb" as const) : ("loss" as const)
      const raw = (groups["raw"] ?? "").replace(/[.:]+$/, "")
      if (open === undefined || open.key === key) {
        open = { key, raw, label: labelOf(line.slice(end, match.index)) }
      } else {
        pairs.push(
          open.key === "loss"
            ? { label: open.label, loss: open.raw, bpb: raw }
            : { label: open.label, loss: raw, bpb: open.raw },
        )
        open = undefined
      }
      end = match.index + match[0].length
    }
    return pairs
  }
}

const labelOf = (before: string): string =>
  before
    .trim()
    .replace(/[{,;|"]+$/, "")
    .replace(/^[},;|"]+/, "")
    .trim()

export const LOG_PRESETS = {
  "parameter-golf": {
    id: "parameter-golf",
    title: "parameter-golf train_gpt.py and its descendants: val_loss (nats/token) and val_bpb",
    pairs: fieldPairs(String.raw`val[_/ ]?bpb`),
    lossUnit: "nats/token",
    unlike: [
      {
        label: /\bppm|mix/i,
        reason: "A mixture with another model is scored over bytes; its loss is not per token.",
      },
    ],
  },
  "mdlm-variational": {
    id: "mdlm-variational",
    title: "parameter-golf masked diffusion scripts: val_loss (training objective) and val_var_bpb (bound)",
    pairs: fieldPairs(String.raw`val[_/ ]?var[_/ ]?bpb`),
    lossUnit: "nats/token",
    unlike: [
      {
        label: /^/,
        reason:
          "val_loss is a training objective or a continuous-time bound, val_var_bpb a T-step bound: not the same event.",
      },
    ],
  },
} as const satisfies Readonly<Record<string, LogPreset>>

export type LogPresetId = keyof typeof LOG_PRESETS

export interface LogPair {
  /** One-based line number. */
  readonly line: number
  /** What stands before the figures, as printed: a step or an evaluation's name. */
  readonly label: string
  readonly loss: string
  readonly bpb: string
  /** Scored tokens of this evaluation; undefined where the log states none, or several. */
  readonly tokens: number | undefined
  /** The counts that stand there where there are several, none of which is taken. */
  readonly severalCounts?: readonly number[]
  /** Pieces of the tokenizer; undefined where the log states none, or several. */
  readonly vocabulary: number | undefined
  /** Why the two figures are not of one event, where they are not. */
  readonly unlike?: string
}

export interface LogReading {
  /** Scored tokens as the log prints them; undefined when it does not, or prints two numbers. */
  readonly tokens: number | undefined
  readonly statements: LogStatements
  readonly pairs: readonly LogPair[]
  /** Counts and figures that stand there and are not read. */
  readonly refused: readonly RefusedStatement[]
}

/** The longest line that is searched: logs of a script's own source hold none longer that matter. */
const LONGEST_LINE = 2000

/** The values of some statements, each once. */
const distinct = (statements: readonly Statement<number>[]): readonly number[] => [
  ...new Set(statements.map(({ value }) => value)),
]

/** The one value that the statements agree on. */
const agreed = (values: readonly number[]): number | undefined =>
  values.length === 1 ? values[0] : undefined

/**
 * The values that hold for a line: what was said since the pair before it, else what held for that one, else what
 * the whole log says. Two values said in one breath are none.
 */
const holding = (
  statements: readonly Statement<number>[],
  pairLines: readonly number[],
): ((line: number) => readonly number[]) => {
  const values = new Map<number, readonly number[]>()
  const inOrder = [...statements].sort((a, b) => a.line - b.line)
  const everywhere = distinct(statements)
  let next = 0
  let current: readonly number[] | undefined
  for (const line of [...new Set(pairLines)].sort((a, b) => a - b)) {
    const from = next
    while (next < inOrder.length && inOrder[next]!.line <= line) next++
    if (next > from) current = distinct(inOrder.slice(from, next))
    values.set(line, current ?? everywhere)
  }
  return (line) => values.get(line) ?? []
}

/** A bare `tokens` beside the figures does not say of what; it counts where it is a known total alone. */
const BARE_TOKENS = new RegExp(String.raw`(?:^|[\s{,])"?tokens"?\s*[:=]\s*"?(${RAW})`, "i")

const bareTokens = (line: string): Statement<number>["value"] | undefined => {
  const raw = BARE_TOKENS.exec(line)?.[1]
  if (raw === undefined) return undefined
  const count = printedCount(raw)
  return count.kind === "whole" && isKnownTotal(count.value) ? count.value : undefined
}

const isKnownTotal = (tokens: number): boolean =>
  KNOWN_RATIOS.some((known) => known.tokens === tokens) || tokenizerWithTotal(tokens) !== undefined

/** The pairs of a log and the scored tokens that it prints. */
export const readLog = (
  text: string,
  preset: LogPreset,
): { readonly preset: string; readonly tokens: number | undefined; readonly pairs: readonly LogPair[] } => {
  const { tokens, pairs } = readWholeLog(text, preset)
  return { preset: preset.id, tokens, pairs }
}

/** A log with all that it says of itself and all that could not be read. */
export const readWholeLog = (text: string, preset: LogPreset): LogReading => {
  const lines = logLines(text).filter((line) => line.text.length <= LONGEST_LINE)
  const statements = readStatements(lines)
  const refused: RefusedStatement[] = [...statements.refused]
  const found: (RawPair & { readonly line: number; readonly bare: number | undefined })[] = []
  for (const { number: line, text: content } of lines) {
    for (const pair of preset.pairs(content)) {
      const figures = [printedFigure(pair.loss), printedFigure(pair.bpb)] as const
      const bad = figures.find((figure) => figure.kind === "refused")
      if (bad === undefined || preset.strict === true)
        found.push({
          line,
          label: pair.label,
          loss: preset.strict === true ? pair.loss : figures[0].printed,
          bpb: preset.strict === true ? pair.bpb : figures[1].printed,
          bare: bareTokens(content),
        })
      else if (bad.kind === "refused" && /^[-+]?\d|^[-+]?(?:nan|inf)/i.test(bad.printed))
        refused.push({ line, what: "figure", printed: bad.printed, reason: bad.reason })
    }
  }
  const pairLines = found.map(({ line }) => line)
  const tokensAt = holding(statements.tokens, pairLines)
  const vocabularyAt = holding(statements.vocabularies, pairLines)
  const pairs = found.map(({ bare, ...pair }): LogPair => {
    const unlike = preset.unlike.find((rule) => rule.label.test(pair.label))?.reason
    const counts = tokensAt(pair.line)
    return {
      ...pair,
      tokens: statements.tokens.length === 0 ? bare : agreed(counts),
      ...(counts.length > 1 ? { severalCounts: counts } : {}),
      vocabulary: agreed(vocabularyAt(pair.line)),
      ...(unlike === undefined ? {} : { unlike }),
    }
  })
  return { tokens: agreed(distinct(statements.tokens)), statements, pairs, refused }
}

export interface LogRow extends LogPair {
  readonly file: string
  readonly inferred: Inferred
  /** Undefined where the two figures are not of one event. */
  readonly judged: RatioVerdict | undefined
}

/** Decimal places, from the size of what rounding hid: `2.03588345e+00` has eight. */
const decimals = (printed: string): number => Math.round(-Math.log10(2 * roundingHalfWidth(printed)))

const precision = ({ loss, bpb }: LogPair): number => Math.min(decimals(loss), decimals(bpb))

export interface LogRows {
  readonly rows: readonly LogRow[]
  readonly refused: readonly RefusedStatement[]
}

/** What was given by hand beside a log: it stands in for what the log does not say. */
export interface GivenStatements {
  readonly tokens?: number | undefined
  readonly vocabulary?: number | undefined
}

/**
 * One row per file and precision worth having: the pairs printed with the most decimals, repeated figures once.
 *
 * @param all every pair instead of the most precise ones
 */
export const inferLogRows = (
  file: string,
  text: string,
  preset: LogPreset,
  { all = false, given = {} }: { readonly all?: boolean; readonly given?: GivenStatements } = {},
): LogRows => {
  const { pairs, refused, statements } = readWholeLog(text, preset)
  const best = pairs.reduce((most, pair) => Math.max(most, precision(pair)), 0)
  const seen = new Set<string>()
  const rows = pairs
    .filter((pair) => {
      const key = `${pair.loss} ${pair.bpb} ${pair.tokens ?? ""}`
      if (all) return true
      if (precision(pair) < best || seen.has(key)) return false
      seen.add(key)
      return true
    })
    .map((pair): LogRow => {
      const tokens = pair.tokens ?? given.tokens
      const vocabulary = pair.vocabulary ?? given.vocabulary
      const inferred = inferRatio({
        loss: pair.loss,
        bpb: pair.bpb,
        lossUnit: preset.lossUnit,
        ...(tokens === undefined ? {} : { tokens }),
      })
      const said: RatioStatements = { vocabulary, caseOps: statements.caseOps, windows: statements.windows }
      return {
        file,
        ...pair,
        tokens,
        vocabulary,
        inferred,
        judged: pair.unlike === undefined ? judgeRatio(inferred, tokens, said) : undefined,
      }
    })
  return { rows, refused }
}

/** The rows alone. */
export const inferLog = (
  file: string,
  text: string,
  preset: LogPreset,
  options: { readonly all?: boolean; readonly given?: GivenStatements } = {},
): readonly LogRow[] => inferLogRows(file, text, preset, options).rows

/** A preset from a user's own regular expression with the named groups `loss` and `bpb` (and `label`). */
export const customPreset = (pattern: string, lossUnit: LogPreset["lossUnit"] = "nats/token"): LogPreset => {
  if (!/\(\?<loss>/.test(pattern) || !/\(\?<bpb>/.test(pattern))
    throw new RangeError(
      `The pattern "${pattern}" needs the named groups (?<loss>...) and (?<bpb>...), each around one number.`,
    )
  let pair: RegExp
  try {
    pair = new RegExp(pattern)
  } catch (cause) {
    throw new RangeError(`The pattern "${pattern}" is no regular expression.`, { cause })
  }
  return {
    id: "custom",
    title: pattern,
    pairs: (line) => {
      const { loss, bpb, label } = pair.exec(line)?.groups ?? {}
      // A figure of zero is a run that has not begun.
      return loss === undefined || bpb === undefined || Number(loss) === 0 || Number(bpb) === 0
        ? []
        : [{ label: (label ?? "").trim(), loss, bpb }]
    },
    lossUnit,
    unlike: [],
    strict: true,
  }
}
