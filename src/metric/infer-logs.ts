/** Pairs of loss and bits per byte in log files, and the denominators behind them. */
import { inferRatio, judgeRatio, type Inferred, type RatioVerdict } from "./infer.js"

/** How a kind of log prints its figures. Groups by name: label (optional), loss, bpb; step and tokens. */
export interface LogPreset {
  readonly id: string
  readonly title: string
  /** One line with both figures. */
  readonly pair: RegExp
  /** A line with the number of scored tokens. */
  readonly tokens: RegExp
  readonly lossUnit: "nats/token" | "bits/token"
  /** Labels whose two figures are not of the same event, with the reason. */
  readonly unlike: readonly { readonly label: RegExp; readonly reason: string }[]
}

const NUMBER = String.raw`\d+(?:\.\d+)?`

export const LOG_PRESETS = {
  "parameter-golf": {
    id: "parameter-golf",
    title: "parameter-golf train_gpt.py and its descendants: val_loss (nats/token) and val_bpb",
    pair: new RegExp(
      String.raw`^(?<label>.*?)\bval_loss[:=]\s*(?<loss>${NUMBER})\s+val_bpb[:=]\s*(?<bpb>${NUMBER})(?!\S*\d)`,
    ),
    tokens: /^val_loader:.*\btokens:(?<tokens>\d+)/,
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
    pair: new RegExp(
      String.raw`^(?<label>.*?)\bval_loss[:=]\s*(?<loss>${NUMBER})\s+val_var_bpb[:=]\s*(?<bpb>${NUMBER})(?!\S*\d)`,
    ),
    tokens: /^val_loader:.*\btokens:(?<tokens>\d+)/,
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
  /** Why the two figures are not of one event, where they are not. */
  readonly unlike?: string
}

export interface LogReading {
  readonly preset: string
  /** Scored tokens as the log prints them; undefined when it does not, or prints two numbers. */
  readonly tokens: number | undefined
  readonly pairs: readonly LogPair[]
}

/** The longest line that is searched: logs of a script's own source hold none longer that matter. */
const LONGEST_LINE = 2000

export const readLog = (text: string, preset: LogPreset): LogReading => {
  const pairs: LogPair[] = []
  const tokens = new Set<number>()
  text.split(/\r?\n/).forEach((content, i) => {
    if (content.length > LONGEST_LINE) return
    const count = preset.tokens.exec(content)?.groups?.["tokens"]
    if (count !== undefined) tokens.add(Number(count))
    const groups = preset.pair.exec(content)?.groups
    const { loss, bpb } = groups ?? {}
    if (loss === undefined || bpb === undefined || Number(loss) === 0 || Number(bpb) === 0) return
    const label = (groups?.["label"] ?? "").trim()
    const unlike = preset.unlike.find((rule) => rule.label.test(label))?.reason
    pairs.push({ line: i + 1, label, loss, bpb, ...(unlike === undefined ? {} : { unlike }) })
  })
  const [only] = tokens.size === 1 ? tokens : []
  return { preset: preset.id, tokens: only, pairs }
}

export interface LogRow extends LogPair {
  readonly file: string
  readonly tokens: number | undefined
  readonly inferred: Inferred
  /** Undefined where the two figures are not of one event. */
  readonly judged: RatioVerdict | undefined
}

const decimals = (printed: string): number => printed.split(".")[1]?.length ?? 0

const precision = ({ loss, bpb }: LogPair): number => Math.min(decimals(loss), decimals(bpb))

/**
 * One row per file and precision worth having: the pairs printed with the most decimals, repeated figures once.
 *
 * @param all every pair instead of the most precise ones
 */
export const inferLog = (
  file: string,
  text: string,
  preset: LogPreset,
  { all = false }: { readonly all?: boolean } = {},
): readonly LogRow[] => {
  const { tokens, pairs } = readLog(text, preset)
  const best = pairs.reduce((most, pair) => Math.max(most, precision(pair)), 0)
  const seen = new Set<string>()
  return pairs
    .filter((pair) => {
      const key = `${pair.loss} ${pair.bpb}`
      if (all) return true
      if (precision(pair) < best || seen.has(key)) return false
      seen.add(key)
      return true
    })
    .map((pair) => {
      const inferred = inferRatio({
        loss: pair.loss,
        bpb: pair.bpb,
        lossUnit: preset.lossUnit,
        ...(tokens === undefined ? {} : { tokens }),
      })
      return {
        file,
        tokens,
        ...pair,
        inferred,
        judged: pair.unlike === undefined ? judgeRatio(inferred, tokens) : undefined,
      }
    })
}

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
    pair,
    tokens: LOG_PRESETS["parameter-golf"].tokens,
    lossUnit,
    unlike: [],
  }
}
