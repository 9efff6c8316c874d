import { readdir, readFile, stat } from "node:fs/promises"
import { join, relative } from "node:path"
import { inferRatio, judgeRatio, type Inferred, type RatioVerdict } from "../audit/infer.js"
import { decodeText } from "../audit/log-text.js"
import type { RefusedStatement } from "../audit/log-statements.js"
import {
  customPreset,
  inferLogRows,
  LOG_PRESETS,
  type LogPreset,
  type LogPresetId,
  type LogRow,
} from "../audit/infer-logs.js"
import { judgeGiven, type GivenReference } from "../audit/judge-given.js"
import { referenceOf, type ReferenceOptions } from "./infer-given.js"
import { UsageError, type Outcome } from "./outcome.js"
import { columns } from "./text.js"

export interface InferOptions extends ReferenceOptions {
  /** As printed: the digits say what rounding hid. */
  readonly loss?: string | undefined
  readonly bpb?: string | undefined
  readonly tokens?: number | undefined
  /** Pieces of the tokenizer, where known: whose totals the figures are held against. */
  readonly vocab?: number | undefined
  /** A log or a folder of logs. */
  readonly path?: string | undefined
  readonly unit?: "nats/token" | "bits/token" | undefined
  /** How the log prints its figures; every preset is tried when absent. */
  readonly preset?: LogPresetId | undefined
  /** A regular expression of one's own with the named groups loss and bpb. */
  readonly pattern?: string | undefined
  /** Every pair of a log instead of the most precise ones. */
  readonly all?: boolean | undefined
}

interface Row {
  readonly file: string | null
  readonly line: number | null
  readonly label: string | null
  readonly loss: string
  readonly bpb: string
  readonly tokens: number | null
  readonly severalCounts?: readonly number[]
  readonly vocabulary: number | null
  readonly inferred: Inferred
  /** null where the two figures are not of one event; `unlike` says why. */
  readonly verdict: RatioVerdict | null
  readonly unlike?: string
}

const TEXT = /\.(log|txt|json|ndjson|out|md)$/i
/** A larger file is no training log of this kind. */
const MOST_BYTES = 64 * 1024 * 1024

const filesUnder = async (folder: string): Promise<readonly string[]> => {
  const entries = await readdir(folder, { withFileTypes: true })
  const nested = await Promise.all(
    entries
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(async (entry) => {
        const path = join(folder, entry.name)
        if (entry.isDirectory()) return filesUnder(path)
        return entry.isFile() && TEXT.test(entry.name) ? [path] : []
      }),
  )
  return nested.flat()
}

/** What the arithmetic refuses is a wrong use, told with the place. */
const asUsage = <A>(place: string, run: () => A): A => {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new UsageError(`${place}${error.message.replace(/\.?$/, ".")}`)
  }
}

/** The row held against what a person gives; figures of two events stay unjudged. */
const heldAgainst = (row: Row, reference: GivenReference | undefined): Row => {
  const { inferred, tokens, verdict, file, line } = row
  if (reference === undefined || verdict === null) return row
  if (reference.kind === "total" && tokens === null)
    throw new UsageError(
      `${file === null ? "" : `${file}:${line}: `}--total ${reference.bytes} says nothing without the number of scored tokens; add --tokens N.`,
    )
  return { ...row, verdict: judgeGiven(inferred, tokens ?? undefined, reference) }
}

const given = ({ loss, bpb, tokens, vocab, unit }: InferOptions): Row => {
  const inferred = asUsage("", () =>
    inferRatio({
      loss: loss!,
      bpb: bpb!,
      ...(tokens === undefined ? {} : { tokens }),
      ...(unit === undefined ? {} : { lossUnit: unit }),
    }),
  )
  return {
    file: null,
    line: null,
    label: null,
    loss: loss!,
    bpb: bpb!,
    tokens: tokens ?? null,
    vocabulary: vocab ?? null,
    inferred,
    verdict: judgeRatio(inferred, tokens, { vocabulary: vocab }),
  }
}

const presetsOf = ({ preset, pattern, unit }: InferOptions): readonly LogPreset[] => {
  if (pattern !== undefined) return [asUsage("", () => customPreset(pattern, unit))]
  const chosen = preset === undefined ? Object.values(LOG_PRESETS) : [LOG_PRESETS[preset]]
  return unit === undefined ? chosen : chosen.map((each) => ({ ...each, lossUnit: unit }))
}

const rowOf = (name: string, row: LogRow): Row => ({
  file: name,
  line: row.line,
  label: row.label,
  loss: row.loss,
  bpb: row.bpb,
  tokens: row.tokens ?? null,
  ...(row.severalCounts === undefined ? {} : { severalCounts: row.severalCounts }),
  vocabulary: row.vocabulary ?? null,
  inferred: row.inferred,
  verdict: row.judged ?? null,
  ...(row.unlike === undefined ? {} : { unlike: row.unlike }),
})

/** `by 528 bytes more`: what a factor of 1.00000 hides. */
const showBytes = ({ bytesApart }: RatioVerdict): string => {
  if (bytesApart === undefined) return ""
  const bytes = Math.round(Math.abs(bytesApart))
  return `, ${bytes} bytes ${bytesApart < 0 ? "fewer" : "more"}`
}

const showHeld = ({ heldAgainst: { tokenizer, why, given: own } }: RatioVerdict): string =>
  own === true
    ? why
    : `${tokenizer === undefined ? "no tokenizer's totals" : `totals of ${tokenizer}`} (${why})`

const showVerdict = (judged: RatioVerdict, tokens: number | null): string => {
  const { verdict, matches, reference, factor, constant, plausible, remark } = judged
  const said = remark === undefined ? "" : `; ${remark}`
  if (verdict === "agrees") {
    const apart = judged.bytesApart !== undefined && Math.abs(judged.bytesApart) >= 2 ? showBytes(judged) : ""
    return `agrees: ${matches.map(({ name }) => name).join(" | ")}${apart}${said}`
  }
  if (verdict === "coarse")
    return "too coarse to tell: the printed digits leave right and wrong denominators possible; give more digits"
  if (verdict === "constant")
    return `a constant: ${constant} bytes per token within rounding, which a text gives less than once in a thousand times${said}`
  const round = constant === undefined ? "" : `; it is the constant ${constant} within rounding`
  if (reference === undefined || factor === undefined)
    return `not known: no totals to hold it against${round}${said}`
  const times = `${factor.toFixed(5)} times ${reference.bytesPerToken.toFixed(6)} (${reference.name})${showBytes(judged)}`
  if (verdict === "unknown") return `no known slice: ${times}${round}${said}`
  const slices = tokens === null ? "even single windows" : `slices of ${tokens} tokens`
  const range =
    plausible === undefined || judged.heldAgainst.given === true
      ? ""
      : `; ${slices} have ${plausible.lo.toFixed(4)} to ${plausible.hi.toFixed(4)}`
  return `differs: ${times}${range}${round}${said}`
}

const showRefused = (name: string, { line, what, printed, reason }: RefusedStatement): string =>
  what === "count"
    ? `${name}:${line}: the count "${printed}" is not used: ${reason}. Give the whole number with --tokens, such as --tokens 62021632.`
    : `${name}:${line}: the figure "${printed}" is not used: ${reason}. Give the figures as positive decimal numbers with --loss and --bpb.`

interface Found {
  readonly rows: readonly Row[]
  /** Files without figures. */
  readonly silent: readonly string[]
  /** Sentences about what stands in a file and is not read. */
  readonly refused: readonly string[]
}

const rowsOf = async (path: string, options: InferOptions): Promise<Found> => {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined)
    throw new UsageError(
      `${path}: no such file or folder. Give a log, a folder of logs, or --loss and --bpb.`,
    )
  const presets = presetsOf(options)
  const rows: Row[] = []
  const silent: string[] = []
  const refused = new Set<string>()
  const { tokens, vocab: vocabulary, all = false } = options
  for (const file of found.isDirectory() ? await filesUnder(path) : [path]) {
    const name = found.isDirectory() ? relative(path, file) : file
    const content = await contentOf(file)
    if (typeof content === "string") {
      const own = presets.map((preset) =>
        asUsage(`${name}: `, () =>
          inferLogRows(name, content, preset, { all, given: { tokens, vocabulary } }),
        ),
      )
      for (const statement of own.flatMap((each) => each.refused)) refused.add(showRefused(name, statement))
      if (own.every((each) => each.rows.length === 0)) silent.push(name)
      // One by one: as arguments of one call, the rows of a long log would not fit the stack.
      for (const each of own) for (const row of each.rows) rows.push(rowOf(name, row))
    } else {
      silent.push(name)
      refused.add(`${name}: ${content.reason}`)
    }
  }
  return { rows, silent, refused: [...refused] }
}

/** The text of a log, or why there is none. */
const contentOf = async (file: string): Promise<string | { readonly reason: string }> => {
  const { size } = await stat(file)
  if (size > MOST_BYTES)
    return {
      reason: `${size} bytes are more than a training log has; give a part of it, or --loss and --bpb.`,
    }
  return (
    decodeText(await readFile(file)) ?? {
      reason: "this is no text in UTF-8 or UTF-16; unpack or convert it, or give --loss and --bpb.",
    }
  )
}

/**
 * Recovers the bytes per token behind printed figures; exit code 3 when they disagree with the known totals or with
 * what was given, or are a constant.
 */
export const infer = async (options: InferOptions): Promise<Outcome> => {
  const { loss, bpb, path, tokens, vocab } = options
  if (tokens !== undefined && !(Number.isSafeInteger(tokens) && tokens > 0))
    throw new UsageError(
      `--tokens ${tokens}: the number of scored tokens is a whole number above 0. Leave the flag out where it is not known.`,
    )
  if (vocab !== undefined && !(Number.isSafeInteger(vocab) && vocab > 1))
    throw new UsageError(`--vocab ${vocab}: the number of a tokenizer's pieces is a whole number above 1.`)
  if (path !== undefined && (loss !== undefined || bpb !== undefined))
    throw new UsageError("Give a file or folder, or --loss and --bpb, not both.")
  if (path === undefined && (loss === undefined || bpb === undefined))
    throw new UsageError("Give --loss and --bpb as printed, or a log file, or a folder of logs.")
  const reference = await referenceOf(options)
  const found =
    path === undefined ? { rows: [given(options)], silent: [], refused: [] } : await rowsOf(path, options)
  const { silent, refused } = found
  const rows = found.rows.map((row) => heldAgainst(row, reference))
  if (rows.length === 0)
    throw new UsageError(
      refused.length > 0
        ? refused.join("\n")
        : `${path}: no line with loss and BPB was found. The presets read lines with val_loss and val_bpb, or val_loss and val_var_bpb; otherwise give --pattern, or --loss and --bpb.`,
    )
  const shown = rows.map(
    ({ file, line, loss: a, bpb: b, tokens: n, severalCounts: several, inferred, verdict, unlike }) => [
      file === null ? "(given)" : `${file}:${line}`,
      a,
      b,
      n === null ? (several === undefined ? "not stated" : several.join(" or ")) : String(n),
      `${inferred.bytesPerToken.toFixed(6)} (${inferred.interval.lo.toFixed(6)} to ${inferred.interval.hi.toFixed(6)})`,
      inferred.bytes === undefined ? "" : Math.round(inferred.bytes.value).toString(),
      verdict === null ? "" : showHeld(verdict),
      verdict === null ? `not judged: ${unlike ?? ""}` : showVerdict(verdict, n),
    ],
  )
  return {
    text: columns([
      ["FIGURES", "LOSS", "BPB", "TOKENS", "BYTES PER TOKEN", "BYTES", "HELD AGAINST", "VERDICT"],
      ...shown,
    ]),
    json: { rows, withoutFigures: silent, refused },
    notes: [...refused, ...(silent.length === 0 ? [] : [`No loss and BPB in: ${silent.join(", ")}`])],
    exitCode: rows.some(({ verdict }) => verdict?.verdict === "differs" || verdict?.verdict === "constant")
      ? 3
      : 0,
  }
}
