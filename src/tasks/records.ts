/** JSON lines of test sets, with the place of every fault. */
import { DataError } from "../files/errors.js"
import { parsePythonJson } from "./python-json.js"

export interface Place {
  readonly subject: string
  readonly line: number
}

export interface JsonLine {
  readonly value: Readonly<Record<string, unknown>>
  readonly place: Place
}

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const invalidAt = ({ subject, line }: Place, problem: string): DataError =>
  new DataError("invalid", `${subject}, line ${line}`, problem)

/** One JSON object a line; blank lines are passed over. @throws DataError naming the line */
export const parseJsonLine = (text: string, place: Place): Readonly<Record<string, unknown>> => {
  let value: unknown
  try {
    value = parsePythonJson(text)
  } catch (error) {
    throw invalidAt(place, `it is not JSON (${error instanceof Error ? error.message : String(error)}).`)
  }
  if (!isRecord(value)) throw invalidAt(place, "each line must be one JSON object.")
  return value
}

export const parseJsonLines = (text: string, subject: string): readonly JsonLine[] =>
  text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return []
    const place = { subject, line: index + 1 }
    return [{ value: parseJsonLine(line, place), place }]
  })

/** A field that must be there as text. @throws DataError naming the line and the fields found */
export const requireText = (
  value: Readonly<Record<string, unknown>>,
  field: string,
  place: Place,
): string => {
  const found = value[field]
  if (typeof found === "string") return found
  throw invalidAt(
    place,
    `"${field}" must be text, found ${found === undefined ? `only ${Object.keys(value).join(", ") || "nothing"}` : JSON.stringify(found)}.`,
  )
}
