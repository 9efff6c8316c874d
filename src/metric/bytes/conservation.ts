/**
 * Conservation of bytes: a byte table's sum over a slice against the UTF-8 length of the slice's text.
 *
 * A table that counts a byte twice makes the denominator too large and the bits per byte too small. Here every byte
 * of difference gets a name, exactly: table bytes = text bytes + the sum of the terms. Known cases: parameter-golf
 * issue #897 (a vocabulary without a lone U+2581 spells a space as three byte tokens), PR #1271, #1143, #1184 (byte
 * tokens counted three bytes each), #1734, #1698 (the leading space counted in the row and added again; audit PR
 * #1804).
 */
import type { Tokens } from "../tokens.js"
import { byteValues, type ByteTable, type TablePiece } from "./byte-table.js"

type PieceType = TablePiece["type"]

const SPACE = "\u2581"
const SPACE_BYTES = [0xe2, 0x96, 0x81] as const

/** What a token stands for, before U+2581 is read as a space; undefined for a token that is no text. */
const rawBytes = (each: TablePiece): Uint8Array | undefined => {
  if (each.type === "control" || each.type === "unknown" || each.type === "unused") return undefined
  return byteValues(each) ?? new TextEncoder().encode(each.piece)
}

/**
 * Text of tokens: pieces joined, byte pieces as their byte, then every U+2581 a space, also one that byte pieces
 * spell. Boundaries are no text, and bytes on their two sides spell nothing together. A leading space stays.
 *
 * @throws RangeError naming the position of an id outside the pieces
 */
export const detokenise = (pieces: readonly TablePiece[], tokens: ArrayLike<number>): Uint8Array => {
  const table = pieces.map(rawBytes)
  let size = 0
  for (let i = 0; i < tokens.length; i++) {
    if (tokens[i]! >= pieces.length)
      throw new RangeError(
        `detokenise: token ${tokens[i]} at position ${i} is outside the ${pieces.length} pieces`,
      )
    size += table[tokens[i]!]?.length ?? 0
  }
  const text = new Uint8Array(size)
  let [end, opened] = [0, 0]
  for (let i = 0; i < tokens.length; i++) {
    const raw = table[tokens[i]!]
    if (raw === undefined) opened = end
    for (const byte of raw ?? []) {
      text[end++] = byte
      if (byte !== SPACE_BYTES[2] || end - opened < 3) continue
      if (text[end - 2] !== SPACE_BYTES[1] || text[end - 3] !== SPACE_BYTES[0]) continue
      end -= 3
      text[end++] = 0x20
    }
  }
  return text.subarray(0, end)
}

export const CONSERVATION_TERMS = {
  "leading-space-after-boundary":
    "A leading space after a boundary is text but is not counted, as the canonical table has it.",
  "space-spelled-in-bytes": "A space spelled as the byte tokens E2 96 81 counts three bytes for one.",
  "space-inside-a-piece": "A U+2581 that does not open its piece counts three bytes for one.",
  "byte-token-over-one": "A byte token's row counts other than one byte.",
  "leading-space-twice": "A row already holds its leading space, and the space is added again.",
  "boundary-with-bytes": "A control, unknown or unused token's row counts bytes.",
  "row-differs": "A row differs from its piece in another way.",
  "text-not-in-tokens":
    "The given text has other bytes than the tokens decode to: normalisation, unknown characters, or another slice.",
} as const

export type ConservationTermName = keyof typeof CONSERVATION_TERMS

export interface ConservationTerm {
  readonly name: ConservationTermName
  /** Occurrences in the slice. */
  readonly count: number
  /** Bytes the term adds to the table's sum; negative where it takes away. */
  readonly bytes: number
}

export interface TypeBytes {
  readonly type: PieceType
  readonly tokens: number
  readonly tableBytes: number
  readonly textBytes: number
  readonly surplus: number
}

export interface PieceSurplus {
  readonly id: number
  readonly piece: string
  readonly type: PieceType
  readonly count: number
  readonly surplus: number
}

export interface ConservationInput {
  readonly pieces: readonly TablePiece[]
  /** The table to judge; it need not be the one that belongs to the pieces. */
  readonly table: ByteTable
  readonly tokens: Tokens | Int32Array
  /** Token before the first; -1 (none) when absent. */
  readonly previous?: number
  /** UTF-8 bytes of the slice's own text; what the tokens decode to when absent. */
  readonly textBytes?: number
}

export interface Conservation {
  readonly tokens: number
  readonly tableBytes: number
  readonly textBytes: number
  /** tableBytes - textBytes, the sum of the terms' bytes. */
  readonly surplus: number
  /** tableBytes / textBytes: by so much the bits per byte are too low. */
  readonly inflation: number
  /** UTF-8 bytes of the detokenised slice. */
  readonly decodedBytes: number
  /** The terms that are not zero. */
  readonly terms: readonly ConservationTerm[]
  readonly byType: readonly TypeBytes[]
  /** The pieces with the largest surplus of either sign, at most ten. */
  readonly largest: readonly PieceSurplus[]
}

/** Terms by which the canonical table differs from the text by its own definition; they make no surplus. */
const DEFINED: ReadonlySet<ConservationTermName> = new Set(["leading-space-after-boundary"])

/**
 * The report of a slice against an independent decoding of its tokens, and whether it conserves: every byte of
 * difference is a space that the table leaves out after a boundary, as it is defined to.
 */
export const checkConservation = (
  input: Omit<ConservationInput, "textBytes">,
): { readonly report: Conservation; readonly conserved: boolean } => {
  const report = conservation({ ...input, textBytes: detokenise(input.pieces, input.tokens).length })
  return { report, conserved: report.terms.every(({ name }) => DEFINED.has(name)) }
}

const signed = (n: number): string => (n > 0 ? `+${n}` : String(n))

/** The terms and the surplus by piece type of a report, in one sentence. */
export const describeConservation = ({
  terms,
  byType,
  tableBytes,
  textBytes,
  tokens,
}: Conservation): string => {
  const boundaries = byType.filter(({ type }) => type === "control").reduce((n, row) => n + row.tokens, 0)
  const named = terms.map(({ name, count, bytes }) => `${name} ${signed(bytes)} (${count} times)`)
  const types = byType.flatMap(({ type, surplus }) => (surplus === 0 ? [] : [`${type} ${signed(surplus)}`]))
  return [
    `${tokens} tokens hold ${tableBytes} bytes by the table and ${textBytes} by their text`,
    `terms: ${[...named, `boundary tokens 0 (${boundaries} times)`].join(", ")}`,
    `surplus by piece type: ${types.length === 0 ? "none" : types.join(", ")}`,
  ].join("; ")
}

/** What a row of the canonical table would hold. */
const canonicalRow = (piece: TablePiece): { readonly base: number; readonly lead: boolean } => {
  const raw = rawBytes(piece)
  if (raw === undefined) return { base: 0, lead: false }
  const lead = piece.type !== "byte" && piece.piece.startsWith(SPACE)
  return { base: raw.length - (lead ? SPACE_BYTES.length : 0), lead }
}

interface Row {
  readonly boundary: boolean
  readonly base: number
  readonly lead: boolean
  /** U+2581 that do not open the piece. */
  readonly inner: number
  /** Surplus of the row itself, and its name. */
  readonly excess: number
  readonly name: ConservationTermName
  /** Decoded bytes, where no neighbour takes part. */
  readonly text: number
}

const rowOf = (piece: TablePiece, table: ByteTable, id: number): Row => {
  const boundary = rawBytes(piece) === undefined
  const canonical = canonicalRow(piece)
  const excess = table.base[id]! - canonical.base
  const spaced = canonical.lead && table.lead[id] === 1
  const name: ConservationTermName = boundary
    ? "boundary-with-bytes"
    : piece.type === "byte"
      ? "byte-token-over-one"
      : excess === 1 && spaced
        ? "leading-space-twice"
        : "row-differs"
  const inner =
    boundary || piece.type === "byte" ? 0 : piece.piece.split(SPACE).length - 1 - (canonical.lead ? 1 : 0)
  return {
    boundary,
    base: canonical.base,
    lead: canonical.lead,
    inner,
    excess,
    name,
    text: canonical.base + (canonical.lead ? 1 : 0) - 2 * inner,
  }
}

/**
 * Every byte of difference between a table's sum and the text, by name.
 *
 * @throws RangeError naming the position of an id outside the pieces or the table
 */
export const conservation = (input: ConservationInput): Conservation => {
  const { pieces, table, tokens, previous = -1 } = input
  const rows = pieces.map((piece, id) => rowOf(piece, table, id))
  const byteOf = pieces.map((piece) => {
    const values = byteValues(piece)
    return values?.length === 1 ? values[0]! : -1
  })
  const terms = new Map<ConservationTermName, { count: number; bytes: number }>()
  const add = (name: ConservationTermName, bytes: number, count = 1): void => {
    if (bytes === 0) return
    const term = terms.get(name) ?? { count: 0, bytes: 0 }
    terms.set(name, { count: term.count + count, bytes: term.bytes + bytes })
  }
  const seen = new Int32Array(pieces.length)
  const inTable = new Float64Array(pieces.length)
  const inText = new Float64Array(pieces.length)
  let spelled = 0
  for (let i = 0; i < tokens.length; i++) {
    const id = tokens[i]!
    const row = rows[id]
    if (row === undefined || id >= table.base.length)
      throw new RangeError(
        `conservation: token ${id} at position ${i} is outside the ${pieces.length} pieces or the table's ${table.base.length} rows`,
      )
    const before = i > 0 ? tokens[i - 1]! : previous
    const open = before >= 0 && table.boundary[before] === 0
    const counted = table.base[id]! + (table.lead[id] === 1 && open ? 1 : 0)
    let text = row.text
    if (spelled > 0) {
      text = 0
      spelled--
    } else if (byteOf[id] === SPACE_BYTES[0] && spellsSpace(byteOf, tokens, i)) {
      add("space-spelled-in-bytes", 2)
      spelled = 2
    }
    add("space-inside-a-piece", 2 * row.inner, row.inner)
    add(row.name, row.excess)
    const leadCounted = table.lead[id] === 1 && open
    if (row.lead && !leadCounted)
      add(table.lead[id] === 1 ? "leading-space-after-boundary" : "row-differs", -1)
    if (!row.lead && leadCounted) add("row-differs", 1)
    seen[id]!++
    inTable[id]! += counted
    inText[id]! += text
  }
  return summarise(input, terms, seen, inTable, inText)
}

const spellsSpace = (byteOf: readonly number[], tokens: ArrayLike<number>, at: number): boolean =>
  at + 2 < tokens.length && SPACE_BYTES.every((byte, i) => byteOf[tokens[at + i]!] === byte)

const sumOf = (values: Float64Array): number => values.reduce((x, y) => x + y, 0)

const summarise = (
  { pieces, tokens, textBytes }: ConservationInput,
  terms: ReadonlyMap<ConservationTermName, { readonly count: number; readonly bytes: number }>,
  seen: Int32Array,
  inTable: Float64Array,
  inText: Float64Array,
): Conservation => {
  const tableBytes = sumOf(inTable)
  const decodedBytes = sumOf(inText)
  const text = textBytes ?? decodedBytes
  const named = [...terms]
    .map(([name, { count, bytes }]) => ({ name, count, bytes }))
    .filter(({ bytes }) => bytes !== 0)
  if (text !== decodedBytes) named.push({ name: "text-not-in-tokens", count: 1, bytes: decodedBytes - text })
  const byType = new Map<PieceType, { tokens: number; table: number; text: number }>()
  const surpluses: PieceSurplus[] = []
  pieces.forEach(({ piece, type }, id) => {
    if (seen[id] === 0) return
    const entry = byType.get(type) ?? { tokens: 0, table: 0, text: 0 }
    byType.set(type, {
      tokens: entry.tokens + seen[id]!,
      table: entry.table + inTable[id]!,
      text: entry.text + inText[id]!,
    })
    const surplus = inTable[id]! - inText[id]!
    if (surplus !== 0) surpluses.push({ id, piece, type, count: seen[id]!, surplus })
  })
  return {
    tokens: tokens.length,
    tableBytes,
    textBytes: text,
    surplus: tableBytes - text,
    inflation: tableBytes / text,
    decodedBytes,
    terms: named,
    byType: [...byType].map(([type, entry]) => ({
      type,
      tokens: entry.tokens,
      tableBytes: entry.table,
      textBytes: entry.text,
      surplus: entry.table - entry.text,
    })),
    largest: surpluses.sort((a, b) => Math.abs(b.surplus) - Math.abs(a.surplus) || a.id - b.id).slice(0, 10),
  }
}
