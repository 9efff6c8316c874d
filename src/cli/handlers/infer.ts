import { readdir, readFile, stat } from "node:fs/promises"
import { join, relative } from "node:path"
import { inferRatio, judgeRatio, type Inferred, type RatioVerdict } from "../../metric/infer.js"
import {
  customPreset,
  inferLog,
  LOG_PRESETS,
  type LogPreset,
  type LogPresetId,
  type LogRow,
} from "../../metric/infer-logs.js"
import { UsageError, type Outcome } from "../outcome.js"
import { columns } from "../text.js"

export interface InferOptions {
  /** As printed: the digits say what rounding hid. */
  readonly loss?: string | undefined
  readonly bpb?: string | undefined
  readonly tokens?: number | undefined
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

const given = ({ loss, bpb, tokens, unit }: InferOptions): Row => {
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
    inferred,
    verdict: judgeRatio(inferred, tokens),
  }
}

const presetsOf = ({ preset, pattern, unit }: InferOptions): readonly LogPreset[] => {
  if (pattern !== undefined) return [asUsage("", () => customPreset(pattern, unit))]
  const chosen = preset === undefined ? Object.values(LOG_PRESETS) : [LOG_PRESETS[preset]]
  return unit === undefined ? chosen : chosen.map((each) => ({ ...each, lossUnit: unit }))
}

const rowOf = (name: string, row: LogRow, tokens: number | undefined): Row => {
  // Tokens given by hand stand in for those the log does not print.
  const scored = row.tokens ?? tokens
  const inferred =
    scored === row.tokens
      ? row.inferred
      : inferRatio({ loss: row.loss, bpb: row.bpb, ...(scored === undefined ? {} : { tokens: scored }) })
  return {
    file: name,
    line: row.line,
    label: row.label,
    loss: row.loss,
    bpb: row.bpb,
    tokens: scored ?? null,
    inferred,
    verdict: row.judged === undefined ? null : judgeRatio(inferred, scored),
    ...(row.unlike === undefined ? {} : { unlike: row.unlike }),
  }
}

const showVerdict = (
  { verdict, matches, reference, factor, constant, plausible }: RatioVerdict,
  tokens: number | null,
): string => {
  if (verdict === "agrees") return `agrees: ${matches.map(({ name }) => name).join(" | ")}`
  if (verdict === "coarse")
    return "too coarse to tell: the printed digits leave right and wrong denominators possible; give more digits"
  const round = constant === undefined ? "" : `; it is the constant ${constant} within rounding`
  const times = `${factor.toFixed(5)} times ${reference.bytesPerToken.toFixed(6)} (${reference.name})`
  if (verdict === "unknown") return `no known slice: ${times}${round}`
  const range = `${plausible.lo.toFixed(4)} to ${plausible.hi.toFixed(4)}`
  return `differs: ${times}; ${tokens === null ? "even single windows" : `slices of ${tokens} tokens`} have ${range}${round}`
}

const rowsOf = async (
  path: string,
  options: InferOptions,
): Promise<{ readonly rows: readonly Row[]; readonly silent: readonly string[] }> => {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined)
    throw new UsageError(
      `${path}: no such file or folder. Give a log, a folder of logs, or --loss and --bpb.`,
    )
  const presets = presetsOf(options)
  const rows: Row[] = []
  const silent: string[] = []
  for (const file of found.isDirectory() ? await filesUnder(path) : [path]) {
    const name = found.isDirectory() ? relative(path, file) : file
    const { size } = await stat(file)
    const content = size > MOST_BYTES ? "" : await readFile(file, "utf8")
    const own = presets.flatMap((preset) =>
      asUsage(`${name}: `, () => inferLog(name, content, preset, { all: options.all ?? false })),
    )
    if (own.length === 0) silent.push(name)
    rows.push(...own.map((row) => rowOf(name, row, options.tokens)))
  }
  return { rows, silent }
}

/** Recovers the bytes per token behind printed figures; exit code 3 when they disagree with the known totals. */
export const infer = async (options: InferOptions): Promise<Outcome> => {
  const { loss, bpb, path, tokens } = options
  if (tokens !== undefined && !(Number.isSafeInteger(tokens) && tokens > 0))
    throw new UsageError(
      `--tokens ${tokens}: the number of scored tokens is a whole number above 0. Leave the flag out where it is not known.`,
    )
  if (path !== undefined && (loss !== undefined || bpb !== undefined))
    throw new UsageError("Give a file or folder, or --loss and --bpb, not both.")
  if (path === undefined && (loss === undefined || bpb === undefined))
    throw new UsageError("Give --loss and --bpb as printed, or a log file, or a folder of logs.")
  const { rows, silent } =
    path === undefined ? { rows: [given(options)], silent: [] } : await rowsOf(path, options)
  if (rows.length === 0)
    throw new UsageError(
      `${path}: no line with loss and BPB was found. The presets read lines with val_loss and val_bpb, or val_loss and val_var_bpb; otherwise give --pattern, or --loss and --bpb.`,
    )
  const shown = rows.map(({ file, line, loss: a, bpb: b, tokens: n, inferred, verdict, unlike }) => [
    file === null ? "(given)" : `${file}:${line}`,
    a,
    b,
    n === null ? "not stated" : String(n),
    `${inferred.bytesPerToken.toFixed(6)} (${inferred.interval.lo.toFixed(6)} to ${inferred.interval.hi.toFixed(6)})`,
    inferred.bytes === undefined ? "" : Math.round(inferred.bytes.value).toString(),
    verdict === null ? `not judged: ${unlike ?? ""}` : showVerdict(verdict, n),
  ])
  return {
    text: columns([["FIGURES", "LOSS", "BPB", "TOKENS", "BYTES PER TOKEN", "BYTES", "VERDICT"], ...shown]),
    json: { rows, withoutFigures: silent },
    notes: silent.length === 0 ? [] : [`No loss and BPB in: ${silent.join(", ")}`],
    exitCode: rows.some(({ verdict }) => verdict?.verdict === "differs") ? 3 : 0,
  }
}
