/**
 * The targets that an evaluation scored, from its evidence: which tokens of the split, how often, and their bytes. What
 * is said about an evaluation's text (bytes, coverage, floors, the label untrained) comes from here alone.
 */
import { DataError } from "../files/errors.js"
import type { SafetensorsFile } from "../files/safetensors.js"
import { buildByteTable, bytesOf, type ByteTable } from "../metric/bytes/byte-table.js"
import { accountText, type TextAccount } from "../metric/bytes/text-account.js"
import { buildTextTable, textBytesOf, type TextTable, type TokenRun } from "../metric/bytes/text-bytes.js"
import { parseEvidenceHeader, type EvidenceHeader } from "./evidence.js"

/** Windows of an evidence file, and how the bytes of their tokens are counted. */
export interface EvidenceWindows {
  readonly header: EvidenceHeader
  readonly count: number
  readonly length: number
  /** [count * length], row-major; PAD only at the ends of rows that are cut from documents */
  readonly tokens: Int32Array
  /** [count * length] of rows that are documents: where in the split each token stands, -1 where it does not. */
  readonly places?: Int32Array
  /** Offset of each window in the split. */
  readonly starts: Int32Array
  readonly previous: Int32Array
  /** Evidence that does not say how text became pieces is counted by the published table. */
  readonly table:
    { readonly published: ByteTable } | { readonly text: TextTable; readonly following: Int32Array }
}

/** @throws DataError when the evidence lacks the tensor */
export const tensorOf = <T>(file: SafetensorsFile, name: string, subject: string): T => {
  const found = file.tensors.get(name)
  if (found === undefined)
    throw new DataError("invalid", subject, `the tensor ${name} is missing; evaluate the run again.`)
  return found.data as T
}

/** @throws when the file is no evidence that this program reads */
export const openWindows = (file: SafetensorsFile, subject: string): EvidenceWindows => {
  const header = parseEvidenceHeader(file.metadata, subject)
  const tokens = tensorOf<Int32Array>(file, "tokens", subject)
  const [count, length] = file.tensors.get("tokens")!.shape as [number, number]
  const { maskId, padId, vocabSize, pieces, text } = header.tokenizer
  // MASK and PAD are rows beyond the pieces: no bytes.
  const rows = Math.max(maskId + 1, padId + 1, vocabSize)
  const places = file.tensors.get("places")
  return {
    ...(places === undefined ? {} : { places: places.data as Int32Array }),
    header,
    count,
    length,
    tokens,
    starts: tensorOf<Int32Array>(file, "starts", subject),
    previous: tensorOf<Int32Array>(file, "previous", subject),
    table:
      text === undefined
        ? { published: buildByteTable(pieces, rows) }
        : {
            text: buildTextTable(pieces, text, rows),
            following: tensorOf<Int32Array>(file, "following", subject),
          },
  }
}

/**
 * Indices into the windows' tokens of every target, in order of scoring: one that was scored twice stands twice. Kinds
 * that list no targets score every token that is not PAD.
 */
export const targetsOf = (file: SafetensorsFile, { tokens, header }: EvidenceWindows): Int32Array => {
  const listed = file.tensors.get("scored")
  if (listed !== undefined) return listed.data as Int32Array
  const { padId } = header.tokenizer
  const targets = new Int32Array(tokens.length)
  let n = 0
  for (let i = 0; i < tokens.length; i++) if (tokens[i] !== padId) targets[n++] = i
  return targets.subarray(0, n)
}

/** What of an evaluation references are measured on: its own targets, no more and no fewer. */
export interface References {
  readonly windows: EvidenceWindows
  /** Indices into the windows' tokens; see {@link targetsOf}. */
  readonly targets: Int32Array
  /** coded: rows that are whole documents pay for where they end. given: their lengths are side information. */
  readonly lengths: "coded" | "given"
}

/** References on everything that an evaluation of windows scored, whose lengths it was given. */
export const windowReferences = (file: SafetensorsFile, subject: string): References => {
  const windows = openWindows(file, subject)
  return { windows, targets: targetsOf(file, windows), lengths: "given" }
}

/** Place of a target in the split. */
const placeOf = ({ starts, length, places }: EvidenceWindows, target: number): number =>
  places?.[target] ?? starts[Math.floor(target / length)]! + (target % length)

/** Places of targets in the split. */
export const positionsOf = (windows: EvidenceWindows, targets: Int32Array): Int32Array =>
  targets.map((target) => placeOf(windows, target))

/** Bytes of one target. */
export const targetBytes = (windows: EvidenceWindows, target: number): number => {
  const { tokens, previous, length, header, table } = windows
  const w = Math.floor(target / length)
  const before = target % length === 0 ? previous[w]! : tokens[target - 1]!
  if ("published" in table) return bytesOf(table.published, tokens[target]!, before)
  const next = target % length === length - 1 ? header.tokenizer.padId : tokens[target + 1]!
  return textBytesOf(
    table.text,
    tokens[target]!,
    before,
    next === header.tokenizer.padId ? table.following[w]! : next,
  )
}

const ascending = (values: Int32Array): boolean => {
  for (let i = 1; i < values.length; i++) if (values[i]! <= values[i - 1]!) return false
  return true
}

/** The same, each once and in the order of the stream. */
export const distinct = (values: Int32Array): Int32Array =>
  ascending(values) ? values : Int32Array.from(new Set(values)).sort()

/** The scored tokens in runs as long as they are consecutive in the split. */
export const runsOf = (windows: EvidenceWindows, targets: Int32Array): readonly TokenRun[] => {
  const { tokens, previous, length, header, table } = windows
  const { padId } = header.tokenizer
  const each = distinct(targets)
  const runs: TokenRun[] = []
  const at = (i: number): number => placeOf(windows, each[i]!)
  for (let i = 0; i < each.length;) {
    const first = i
    while (i + 1 < each.length && at(i + 1) === at(i) + 1) i++
    const [from, to] = [each[first]!, each[i]!]
    const [w, v] = [Math.floor(from / length), Math.floor(to / length)]
    const next = to % length === length - 1 ? padId : tokens[to + 1]!
    runs.push({
      tokens: each.subarray(first, i + 1).map((target) => tokens[target]!),
      previous: from % length === 0 ? previous[w]! : tokens[from - 1]!,
      following: next !== padId ? next : "following" in table ? table.following[v]! : -1,
    })
    i++
  }
  return runs
}

/** What may be said of the bytes; undefined where the evidence does not say how text became pieces. */
export const accountOf = (windows: EvidenceWindows, targets: Int32Array): TextAccount | undefined => {
  const { text, pieces } = windows.header.tokenizer
  if (text === undefined) return undefined
  const { intact = false } = windows.header.split
  return accountText({ pieces, rules: text, runs: runsOf(windows, targets), intact })
}
