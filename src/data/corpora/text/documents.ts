/** Documents of text files, read as a stream: decompressed, decoded as UTF-8 and cut. */
import { DataError, fromSystemError, systemCode } from "../../../files/errors.js"
import { unpackedBytes } from "../../../files/unpacked.js"
import type { Text } from "./schema.js"

export type Cut = Pick<Text, "document" | "field">

/** Characters of one document, far below the longest string that Node holds. */
const LARGEST = 1 << 28
const DEFAULT_FIELD = "text"
const JSON_LINES = /\.(jsonl|ndjson)(\.(gz|gzip|zst|zstd))?$/i

async function* textOf(path: string, onRead: (bytes: number) => void): AsyncIterable<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true })
  let done = 0
  try {
    for await (const chunk of unpackedBytes(path, onRead)) {
      yield decoder.decode(chunk, { stream: true })
      done += chunk.length
    }
    yield decoder.decode()
  } catch (error) {
    if (error instanceof TypeError && systemCode(error)?.startsWith("ERR_ENCODING") === true)
      throw new DataError(
        "invalid",
        path,
        `it is no UTF-8 text: bytes from ${done} on are not; convert it, for example with iconv, or leave it out.`,
        error,
      )
    throw fromSystemError(error, path, "reading its text")
  }
}

async function* linesOf(path: string, onRead: (bytes: number) => void): AsyncIterable<string> {
  let rest = ""
  for await (const text of textOf(path, onRead)) {
    const parts = (rest + text).split("\n")
    rest = parts.pop()!
    if (rest.length > LARGEST) throw tooLong(path)
    for (const line of parts) yield line.endsWith("\r") ? line.slice(0, -1) : line
  }
  if (rest !== "") yield rest
}

const tooLong = (path: string): DataError =>
  new DataError(
    "refused",
    path,
    `one document has more than ${LARGEST >> 20} million characters; write "line" or "paragraph" in data.corpus.document, or split the file.`,
  )

const paragraphsOf = function* (lines: readonly string[]): Iterable<string> {
  let open: string[] = []
  for (const line of lines) {
    if (line.trim() !== "") open.push(line)
    else if (open.length > 0) {
      yield open.join("\n")
      open = []
    }
  }
  if (open.length > 0) yield open.join("\n")
}

async function* recordsOf(path: string, field: string, onRead: (bytes: number) => void) {
  let number = 0
  for await (const line of linesOf(path, onRead)) {
    number++
    if (line.trim() === "") continue
    const wrong = (what: string, cause?: unknown): DataError =>
      new DataError("invalid", path, `line ${number} ${what}`, cause)
    let value: unknown
    try {
      value = JSON.parse(line)
    } catch (error) {
      throw wrong("is no JSON; mend it, or leave data.corpus.field out if the file is plain text.", error)
    }
    const text =
      typeof value === "object" && value !== null
        ? (value as Readonly<Record<string, unknown>>)[field]
        : undefined
    if (typeof text !== "string") {
      const keys = typeof value === "object" && value !== null ? Object.keys(value).slice(0, 8) : []
      throw wrong(
        `has no text in the field ${JSON.stringify(field)}; ${keys.length === 0 ? "each line must be an object" : `its fields are ${keys.join(", ")}: write one in data.corpus.field`}.`,
      )
    }
    yield text
  }
}

/**
 * Documents of one file, blank ones left out.
 * @throws DataError naming the file, and the line where one is at fault
 */
export async function* documentsOf(
  path: string,
  { document, field }: Cut,
  onRead: (bytes: number) => void = () => undefined,
): AsyncIterable<string> {
  if (field !== undefined || JSON_LINES.test(path)) {
    if (document === "file")
      throw new DataError(
        "invalid",
        path,
        'a JSON Lines file holds many texts; write "line" (a record is a document) or "paragraph" in data.corpus.document.',
      )
    for await (const text of recordsOf(path, field ?? DEFAULT_FIELD, onRead)) {
      if (document === "paragraph") yield* paragraphsOf(text.split(/\r?\n/))
      else if (text.trim() !== "") yield text
    }
  } else if (document === "line") {
    for await (const line of linesOf(path, onRead)) if (line.trim() !== "") yield line
  } else if (document === "paragraph") {
    let open: string[] = []
    let size = 0
    for await (const line of linesOf(path, onRead)) {
      if (line.trim() !== "") {
        open.push(line)
        size += line.length
        if (size > LARGEST) throw tooLong(path)
      } else if (open.length > 0) {
        yield open.join("\n")
        open = []
        size = 0
      }
    }
    if (open.length > 0) yield open.join("\n")
  } else {
    const parts: string[] = []
    let size = 0
    for await (const part of textOf(path, onRead)) {
      parts.push(part)
      size += part.length
      if (size > LARGEST) throw tooLong(path)
    }
    const text = parts.join("")
    if (text.trim() !== "") yield text
  }
}
