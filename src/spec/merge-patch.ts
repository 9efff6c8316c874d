/** JSON Merge Patch (RFC 7396): objects merge, null removes, everything else (lists too) replaces. */
import { ownKeys } from "./json.js"
import { child } from "./pointer.js"

type Json = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const define = (target: Record<string, unknown>, key: string, value: unknown): void => {
  if (key === "__proto__")
    Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true })
  else target[key] = value
}

/** `target` with `patch` applied; neither is changed. */
export const mergePatch = (target: unknown, patch: unknown): unknown => {
  if (!isObject(patch)) return patch
  const result: Record<string, unknown> = {}
  if (isObject(target)) {
    for (const key of Object.keys(target))
      if (patch[key] !== null || !Object.hasOwn(patch, key)) define(result, key, target[key])
  }
  for (const key of ownKeys(patch)) {
    const value = patch[key]
    if (value === null) continue
    define(result, key, mergePatch(Object.hasOwn(result, key) ? result[key] : undefined, value))
  }
  return result
}

/** One patch that does what `first` and then `second` do to any document whose places they agree are objects. */
export const composePatches = (first: unknown, second: unknown): unknown => {
  if (!isObject(first) || !isObject(second)) return second
  const patch: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(first)) define(patch, key, value)
  for (const [key, value] of Object.entries(second))
    define(patch, key, composePatches(Object.hasOwn(first, key) ? first[key] : undefined, value))
  return patch
}

/**
 * The patch that makes `after` of `before`: mergePatch(before, patchBetween(before, after)) equals `after`, as long as
 * no key of `after` holds null, which a merge patch cannot say.
 */
export const patchBetween = (before: unknown, after: unknown): unknown => {
  if (!isObject(before) || !isObject(after)) return after
  const patch: Record<string, unknown> = {}
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) define(patch, key, null)
  for (const [key, value] of Object.entries(after)) {
    const there = Object.hasOwn(before, key) ? before[key] : undefined
    if (JSON.stringify(there) !== JSON.stringify(value)) define(patch, key, patchBetween(there, value))
  }
  return patch
}

/** One place where two documents differ; an absent value is undefined. */
export interface Difference {
  readonly pointer: string
  readonly before: unknown
  readonly after: unknown
}

/** The smallest places where two JSON documents differ. Lists of equal length are compared item by item. */
export const differencesOf = (before: unknown, after: unknown, pointer = ""): readonly Difference[] => {
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    return keys.flatMap((key) =>
      differencesOf(
        Object.hasOwn(before, key) ? before[key] : undefined,
        Object.hasOwn(after, key) ? after[key] : undefined,
        child(pointer, key),
      ),
    )
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length)
    return before.flatMap((item: unknown, index) => differencesOf(item, after[index], child(pointer, index)))
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ pointer, before, after }]
}
