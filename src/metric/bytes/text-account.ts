/**
 * What may be said of the bytes of scored tokens: whether the pieces decide them, and what stands in the way.
 *
 * exact: the pieces decide every byte of the text. normalised text: they decide the bytes of the text as the model's
 * normaliser left it, which may be fewer or more than the source had. pieces: they decide the bytes, but the bytes are
 * no UTF-8 text. none: the bytes of the text are not in the tokens, so there is no denominator and bits per byte are
 * not reported. The weakest of all findings decides.
 */
import { buildByteTable, byteValues, countBytes, type TablePiece } from "./byte-table.js"
import { buildTextTable, countTextBytes, decodeText, type TextRules, type TokenRun } from "./text-bytes.js"

export const STANDINGS = ["exact", "normalised text", "pieces", "none"] as const
/** How far the pieces decide the bytes, from the strongest. */
export type TextStanding = (typeof STANDINGS)[number]

/** A kind of input that has a bearing on the bytes, with its occurrences in the scored tokens. */
export interface TextFinding {
  readonly kind:
    | "unknown-tokens"
    | "private-use-pieces"
    | "private-use-characters"
    | "user-defined-pieces"
    | "bytes-not-utf8"
    | "table-against-text"
    | "normalisation"
    | "document-spaces"
    | "whitespace-suffix"
    | "unescaped-whitespace"
    | "inner-spaces"
    | "word-pieces"
  readonly count: number
  /** Share of the scored tokens. */
  readonly share: number
  /** The best that may be said of the bytes where this was found. */
  readonly allows: TextStanding
  readonly note: string
}

export interface TextAccount {
  /** Distinct targets. */
  readonly tokens: number
  /** Bytes of their text, as far as the tokens say it. */
  readonly bytes: number
  /** What the published table counts on them. */
  readonly publishedBytes: number
  readonly standing: TextStanding
  readonly findings: readonly TextFinding[]
}

/** Characters that text rarely holds for themselves: private use, noncharacters, controls other than tab and line ends. */
const STAND_IN = /\p{Private_Use}|\p{Noncharacter_Code_Point}|(?![\t\n\r])\p{Control}/u
const PRIVATE = /\p{Private_Use}/gu

const percent = (share: number): string => {
  const shown = 100 * share
  return shown === 0 || shown >= 0.01 ? `${shown.toFixed(2)} %` : `${shown.toExponential(1)} %`
}

/** The character as a reader can look it up. */
const codePoints = (text: string): string =>
  [...text].map((c) => `U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`).join(" ")

const shown = (piece: string): string => (STAND_IN.test(piece) ? codePoints(piece) : JSON.stringify(piece))

/** Length of the well-formed UTF-8 sequence at `at`; 0 where there is none (Unicode 15, table 3-7). */
const wellFormed = (bytes: readonly number[], at: number): number => {
  const lead = bytes[at]!
  if (lead < 0x80) return 1
  const length =
    lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0
  if (length === 0 || at + length > bytes.length) return 0
  const [low, high] = [
    lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80,
    lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf,
  ]
  if (bytes[at + 1]! < low || bytes[at + 1]! > high) return 0
  for (let i = at + 2; i < at + length; i++) if (bytes[i]! < 0x80 || bytes[i]! > 0xbf) return 0
  return length
}

/** Whether `bytes` could begin a well-formed sequence that the end of a slice cut. */
const couldBegin = (bytes: readonly number[]): boolean => {
  const lead = bytes[0]!
  const length =
    lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0
  return bytes.length < length && bytes.slice(1).every((byte) => byte >= 0x80 && byte <= 0xbf)
}

/**
 * Byte tokens of a run that are part of no UTF-8 character. A character that an edge of the run cuts is none of them:
 * the rest of it is in the text, outside the slice.
 */
const illFormed = (
  values: readonly (Uint8Array | undefined)[],
  { tokens, previous, following }: TokenRun,
): number => {
  let found = 0
  for (let i = 0; i < tokens.length; i++) {
    if (values[tokens[i]!] === undefined) continue
    const bytes: number[] = []
    const start = i
    for (let own = values[tokens[i]!]; i < tokens.length && own !== undefined; own = values[tokens[++i]!])
      for (const byte of own) bytes.push(byte)
    const cutBefore = start === 0 && values[previous] !== undefined
    const cutBehind = i === tokens.length && values[following] !== undefined
    let at = 0
    if (cutBefore) while (at < 3 && at < bytes.length && bytes[at]! >= 0x80 && bytes[at]! <= 0xbf) at++
    while (at < bytes.length) {
      const length = wellFormed(bytes, at)
      if (length === 0) {
        if (cutBehind && couldBegin(bytes.slice(at))) break
        found++
      }
      at += Math.max(1, length)
    }
  }
  return found
}

/** Private-use characters of a text: U+E000 to U+F8FF, U+F0000 to U+FFFFD, U+100000 to U+10FFFD. */
const privateUse = (text: Uint8Array): number => {
  let found = 0
  for (let i = 0; i + 2 < text.length; i++) {
    const [lead, next] = [text[i]!, text[i + 1]!]
    if (lead < 0xee) continue
    if (lead === 0xee || (lead === 0xef && next >= 0x80 && next <= 0xa3)) found++
    else if ((lead === 0xf3 && next >= 0xb0) || (lead === 0xf4 && next >= 0x80 && next <= 0x8f)) found++
  }
  return found
}

interface Counted {
  readonly type: TablePiece["type"]
  readonly piece: string
  readonly count: number
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

/** `"x" 12 times, "y" 3 times`: the most frequent of some pieces. */
const most = (pieces: readonly Counted[]): string =>
  pieces
    .toSorted((a, b) => b.count - a.count)
    .slice(0, 3)
    .map(({ piece, count }) => `${shown(piece)} ${count} times`)
    .join(", ")

export interface AccountInput {
  readonly pieces: readonly TablePiece[]
  readonly rules: TextRules
  /** The scored tokens, each once, in runs as long as they are consecutive in the stream. */
  readonly runs: readonly TokenRun[]
  /** The whole split decodes to as many bytes as its source text has, so that the normaliser changed none of it. */
  readonly intact?: boolean
}

/** @throws RangeError naming the position of an id outside the pieces */
export const accountText = ({ pieces, rules, runs, intact = false }: AccountInput): TextAccount => {
  const table = buildTextTable(pieces, rules)
  const published = buildByteTable(pieces)
  const tokens = sum(runs.map((run) => run.tokens.length))
  const bytes = sum(runs.map((run) => countTextBytes(table, run)))
  const texts = runs.map((run) => decodeText(pieces, rules, run))
  const decoded = sum(texts.map(({ length }) => length))
  const publishedBytes = sum(
    runs.map(({ tokens: ids, previous }) =>
      countBytes(published, ids instanceof Uint16Array ? ids : Int32Array.from(ids), { previous }),
    ),
  )
  const seen = new Float64Array(pieces.length)
  for (const run of runs) for (let i = 0; i < run.tokens.length; i++) seen[run.tokens[i]!]!++
  const counted = pieces.flatMap(({ piece, type }, id): readonly Counted[] =>
    seen[id] === 0 ? [] : [{ piece, type, count: seen[id]! }],
  )
  const findings: TextFinding[] = []
  const add = (
    kind: TextFinding["kind"],
    count: number,
    allows: TextStanding,
    note: (told: string) => string,
  ): void => {
    const share = tokens === 0 ? 0 : count / tokens
    findings.push({
      kind,
      count,
      share,
      allows,
      note: note(`${count} of ${tokens} tokens (${percent(share)})`),
    })
  }
  const total = (those: readonly Counted[]): number => sum(those.map(({ count }) => count))

  const unknown = counted.filter(({ type }) => type === "unknown")
  if (unknown.length > 0)
    add(
      "unknown-tokens",
      total(unknown),
      "none",
      (told) =>
        `${told} are unknown to the tokenizer: what they stand for is not in the tokens. The text that is known, the spaces after them included, has ${bytes} bytes.`,
    )
  const defined = counted.filter(({ type }) => type === "user-defined")
  const standIns = defined.filter(({ piece }) => STAND_IN.test(piece))
  if (standIns.length > 0)
    add(
      "private-use-pieces",
      total(standIns),
      "none",
      (told) =>
        `${told} are user-defined pieces of private-use or control characters (${most(standIns)}), ${sum(standIns.map(({ piece, count }) => count * new TextEncoder().encode(piece).length))} bytes by the table: they were put into the text to stand for something, and the model does not say for what.`,
    )
  const plain = defined.filter(({ piece }) => !STAND_IN.test(piece))
  if (plain.length > 0)
    add(
      "user-defined-pieces",
      total(plain),
      "exact",
      (told) => `${told} are user-defined pieces (${most(plain)}), counted as the text they spell.`,
    )
  const inText = sum(texts.map(privateUse))
  const inPieces = sum(standIns.map(({ piece, count }) => count * (piece.match(PRIVATE)?.length ?? 0)))
  if (inText > inPieces)
    add(
      "private-use-characters",
      inText - inPieces,
      "exact",
      () =>
        `${inText - inPieces} private-use characters stand in the text outside user-defined pieces and are counted by their own bytes; if they were put there to stand for something, the bytes are others.`,
    )
  if (rules.lossy === true)
    add(
      "word-pieces",
      0,
      "none",
      () =>
        "The tokenizer's pieces do not say which spaces stood between them: what they stand for is not in the tokens.",
    )
  const values = pieces.map(byteValues)
  const broken = sum(runs.map((run) => illFormed(values, run)))
  if (broken > 0)
    add(
      "bytes-not-utf8",
      broken,
      "pieces",
      (told) =>
        `${told} are byte pieces that form no UTF-8 character: each is counted as one byte, and the tokens do not come from UTF-8 text alone.`,
    )
  if (decoded !== bytes)
    add(
      "table-against-text",
      Math.abs(decoded - bytes),
      "none",
      () =>
        `The byte table does not conserve the text: it counts ${bytes} bytes where the decoded tokens have ${decoded}.`,
    )
  if (rules.replaces || rules.removeExtraWhitespaces || rules.denormalizes) {
    const named = rules.name === "" ? "rules of its own" : rules.name
    const what = [
      ...(rules.replaces ? [`replaces characters (${named})`] : []),
      ...(rules.removeExtraWhitespaces ? ["removes spaces at the ends and repeated ones"] : []),
      ...(rules.denormalizes ? ["replaces characters again when it decodes"] : []),
    ].join(" and ")
    if (rules.stated || intact)
      add("normalisation", 0, intact ? "exact" : "normalised text", () =>
        intact
          ? `The tokenizer ${what}; this split's tokens decode to exactly as many bytes as its source text has.`
          : `The tokenizer ${what} first, so its tokens say the bytes of the normalised text; the source may have had more or fewer.`,
      )
  }
  if (!rules.addDummyPrefix && !rules.removeExtraWhitespaces && !rules.whitespaceAsSuffix) {
    const opening = sum(runs.map((run) => openingSpaces(pieces, rules, run)))
    add(
      "document-spaces",
      opening,
      "exact",
      () =>
        `The tokenizer puts no space before a document (add_dummy_prefix = false): the space that ${opening} documents open with is their own and is counted.`,
    )
  }
  if (rules.whitespaceAsSuffix)
    add(
      "whitespace-suffix",
      0,
      "exact",
      () => `A space ends its piece (treat_whitespace_as_suffix)${closing(rules)}.`,
    )
  if (!rules.escapeWhitespaces)
    add(
      "unescaped-whitespace",
      0,
      "exact",
      () => "Spaces stand in pieces as themselves (escape_whitespaces = false).",
    )
  const inner = rules.escapeWhitespaces
    ? counted.filter(
        ({ piece, type }) =>
          (type === "normal" || type === "user-defined") && piece.slice(1).includes("\u2581"),
      )
    : []
  if (inner.length > 0 && !rules.whitespaceAsSuffix)
    add(
      "inner-spaces",
      total(inner),
      "exact",
      (told) =>
        `${told} have a U+2581 that does not open its piece (${most(inner)}): one byte each, where the published table counts three.`,
    )
  const standing = STANDINGS[Math.max(0, ...findings.map(({ allows }) => STANDINGS.indexOf(allows)))]!
  return { tokens, bytes, publishedBytes, standing, findings }
}

const closing = ({ addDummyPrefix }: TextRules): string =>
  addDummyPrefix
    ? "; the one at a document's end was put there by the tokenizer and is not counted"
    : "; the one at a document's end is its own and is counted"

/** Documents of a run that open with a space. */
const openingSpaces = (
  pieces: readonly TablePiece[],
  { escapeWhitespaces }: TextRules,
  { tokens, previous }: TokenRun,
): number => {
  const ends = (id: number): boolean =>
    id < 0 || pieces[id]?.type === "control" || pieces[id]?.type === "unused"
  let found = 0
  for (let i = 0; i < tokens.length; i++) {
    const piece = pieces[tokens[i]!]
    if (piece === undefined || ends(tokens[i]!) || !ends(tokens[i - 1] ?? previous)) continue
    if (piece.type !== "byte" && piece.piece.startsWith(escapeWhitespaces ? "\u2581" : " ")) found++
  }
  return found
}

/** What a figure over these bytes is called. */
export const BYTES_CALLED: Readonly<Record<TextStanding, string>> = {
  exact: "exact byte table",
  "normalised text": "bytes of the normalised text",
  pieces: "bytes of the pieces, not UTF-8",
  none: "no byte count",
}

/** Every note, and by how much the published table's sum differs. */
export const accountNotes = ({
  findings,
  bytes,
  publishedBytes,
  standing,
}: TextAccount): readonly string[] => [
  ...findings.map(({ note }) => note),
  ...(bytes === publishedBytes || standing === "none"
    ? []
    : [
        `The published byte-table rule, which knows pieces alone, counts ${publishedBytes} bytes on these tokens; their text has ${bytes}.`,
      ]),
]
