/** Reads files of generations record by record: nothing is held that one record does not need. */
import { DataError } from "../../files/errors.js"
import { parsePythonJson } from "../python-json.js"
import { invalidAt, isRecord, parseJsonLine } from "../records.js"
import { lines, readText } from "./bytes.js"
import { formatOf, FORMATS, readRecord, type Format, type Stored } from "./formats.js"
import { ElementError, jsonElements, type Rest } from "./json-elements.js"

export interface GenerationsFile {
  readonly path: string
  /** Known after the first record. */
  format: Format | undefined
  /** What the document says beside its generations, such as the checkpoint and the number of steps. */
  readonly about: Rest
}

export const generationsFile = (path: string): GenerationsFile => ({ path, format: undefined, about: {} })

/** What the longest line that is looked at for telling a document from lines may have. */
const first = async (path: string): Promise<string> => {
  let begin = ""
  for await (const part of readText(path)) {
    begin += part
    if (begin.trimStart() !== "" && begin.length >= 4096) break
  }
  return begin.trimStart()
}

/** A document whose first value is not over at the end of a line, or that is an array, is no file of JSON lines. */
const isDocument = (begin: string): boolean => {
  if (begin.startsWith("[")) return true
  const end = begin.indexOf("\n")
  const line = end < 0 ? begin : begin.slice(0, end)
  try {
    const value: unknown = parsePythonJson(line)
    return isRecord(value) && Array.isArray(value["generations"])
  } catch {
    // One line longer than what was looked at: a record, unless it begins as the documents do.
    return (
      end >= 0 ||
      /^\{\s*"(?:generations"\s*:\s*\[|(?:metrics|model_path|checkpoint_path|gen_length)"\s*:)/.test(line)
    )
  }
}

/** The fields of a record, with what is no text or number where one of them is looked for. */
const fieldsOf = (record: Readonly<Record<string, unknown>>): string =>
  Object.entries(record)
    .map(([name, value]) =>
      value === null || Array.isArray(value) ? `${name} (${value === null ? "null" : "a list"})` : name,
    )
    .join(", ") || "(none)"

const requireFormat = (
  file: GenerationsFile,
  record: unknown,
  inDocument: boolean,
  place: string,
): Format => {
  if (!isRecord(record)) throw new DataError("invalid", place, "a generation must be a JSON object.")
  const format = formatOf(record, inDocument)
  if (format === undefined)
    throw new DataError(
      "invalid",
      place,
      `it is no form of generations that is known here: it has the fields ${fieldsOf(record)}. Known: ${Object.values(FORMATS).join("; ")}. A plain line needs an id (id, task_id, item, index or question) and a text (completion, generation, output, response or text).`,
    )
  file.format ??= format
  return format
}

const storedOf = (format: Format, record: unknown, place: string): readonly Stored[] => {
  const found = isRecord(record) ? readRecord(format, record) : undefined
  if (found === undefined)
    throw new DataError(
      "invalid",
      place,
      `it is not a record of ${FORMATS[format]}, as the file's first is${isRecord(record) ? `: it has the fields ${fieldsOf(record)}` : ""}.`,
    )
  return found
}

async function* fromDocument(file: GenerationsFile): AsyncGenerator<Stored> {
  const { path } = file
  let count = 0
  try {
    for await (const { value, index } of jsonElements(readText(path), "generations", file.about)) {
      const place = `${path}, generation ${index + 1}`
      const format = file.format ?? requireFormat(file, value, true, place)
      count++
      yield* storedOf(format, value, place)
    }
    if (count === 0)
      throw new DataError(
        "invalid",
        path,
        'it holds no generations: a document has them in a list "generations".',
      )
  } catch (error) {
    if (!(error instanceof ElementError)) throw error
    throw new DataError(
      "invalid",
      path,
      `${error.message} (at character ${error.offset + 1}); is the file whole?`,
      error,
    )
  }
}

/** What `repro sample --out` writes before its texts: how they were made. */
const isSampleHeader = (record: unknown): record is Readonly<Record<string, unknown>> =>
  isRecord(record) && record["type"] === "sampling"

async function* fromLines(file: GenerationsFile): AsyncGenerator<Stored> {
  const { path } = file
  for await (const { text, number } of lines(readText(path))) {
    if (text.trim() === "") continue
    const place = { subject: path, line: number }
    const record = parseJsonLine(text, place)
    if (isSampleHeader(record)) {
      Object.assign(file.about, record)
      continue
    }
    const format = file.format ?? requireFormat(file, record, false, `${path}, line ${number}`)
    const stored = readRecord(format, record)
    if (stored === undefined)
      throw invalidAt(
        place,
        `it is not a record of ${FORMATS[format]}, as the file's first is: it has the fields ${fieldsOf(record)}.`,
      )
    yield* stored
  }
  if (file.format === undefined)
    throw new DataError("invalid", path, "it says how texts were sampled, and holds none of them.")
}

/**
 * The generations of a file, in order.
 * @throws DataError naming the file and the line or generation
 */
export async function* readGenerations(file: GenerationsFile): AsyncGenerator<Stored> {
  const begin = await first(file.path)
  if (begin === "") throw new DataError("invalid", file.path, "it is empty: there is nothing to score.")
  yield* isDocument(begin) ? fromDocument(file) : fromLines(file)
}
