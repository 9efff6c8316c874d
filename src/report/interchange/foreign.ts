/** What readers of foreign result files share: careful access, and contracts that state only what the file states. */
import { CONTRACT_VERSION, NOT_STATED, type Contract } from "../../metric/contract/contract.js"
import { SpecError } from "../../spec/spec-error.js"

export type Json = Readonly<Record<string, unknown>>

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const at = (value: unknown, ...keys: readonly string[]): unknown =>
  keys.reduce<unknown>(
    (inner, key) => (isObject(inner) && Object.hasOwn(inner, key) ? inner[key] : undefined),
    value,
  )

export const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined

export const finite = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined

export const count = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined

/** A name that a claim may have, made of any text. */
export const identifier = (...parts: readonly string[]): string => {
  const name = parts
    .join("-")
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+|-+$/g, "")
  return name === "" ? "claim" : name
}

/** A contract in which nothing is stated. */
export const SILENT: Contract = {
  version: CONTRACT_VERSION,
  quantity: NOT_STATED,
  unit: NOT_STATED,
  event: NOT_STATED,
  bound: NOT_STATED,
  estimator: NOT_STATED,
  denominator: NOT_STATED,
  window: NOT_STATED,
  specials: NOT_STATED,
  sideInformation: NOT_STATED,
  data: NOT_STATED,
  tokenizer: NOT_STATED,
  reduction: NOT_STATED,
  grader: NOT_STATED,
  selection: NOT_STATED,
  precision: NOT_STATED,
  seeds: NOT_STATED,
}

/** A file of another form than its reader expects. */
export const refuse = (file: string, pointer: string, expected: string, found: string): never => {
  throw new SpecError(file, [{ pointer, expected, found }])
}

/** Names made unique by a number. */
export const uniquely = (): ((name: string) => string) => {
  const seen = new Map<string, number>()
  return (name) => {
    const times = (seen.get(name) ?? 0) + 1
    seen.set(name, times)
    return times === 1 ? name : `${name}-${times}`
  }
}

/** Takes a sentence about a score that is left out, so that one bad score does not refuse a file. */
export type Remark = (sentence: string) => void

export const SILENTLY: Remark = () => undefined

/** Why a score is no number that can be read; undefined where it is one. */
export const badScore = (value: unknown): string | undefined => {
  if (typeof value === "number") return Number.isFinite(value) ? undefined : `it is ${value}`
  if (value === null) return "it is null"
  if (typeof value !== "string") return undefined
  const word = value.trim()
  if (/^[-+]?(?:nan|inf(?:inity)?)$/i.test(word)) return `it is "${value}"`
  return word !== "" && Number.isFinite(Number(word))
    ? `it is the text "${value}", no JSON number`
    : undefined
}
