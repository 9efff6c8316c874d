/** Settings of a command line, such as `model.width=96`: one place and its value, checked like the file. */
import { mergePatch, patchBetween } from "./merge-patch.js"
import { keysOf } from "./pointer.js"
import { SpecError, type Problem } from "./spec-error.js"
import type { LoadedSpec } from "./spec-file.js"

interface Setting {
  readonly text: string
  readonly keys: readonly string[]
  /** null removes. */
  readonly value: unknown
}

/** A value is JSON, or else the text itself: `96`, `null`, `[0.9, 0.95]`, `adamw`. */
const valueOf = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

const refused = (text: string, expected: string, found: string): SpecError =>
  new SpecError(`--set ${text}`, [{ pointer: "", expected, found }])

const parse = (text: string): Setting => {
  const at = text.indexOf("=")
  const place = at < 0 ? text : text.slice(0, at).trim()
  const keys = place.startsWith("/") ? keysOf(place) : place.split(".")
  if (at < 0 || keys.some((key) => key === ""))
    throw refused(text, "PLACE=VALUE, such as model.width=96 or /training/seed=7", JSON.stringify(text))
  return { text, keys, value: valueOf(text.slice(at + 1)) }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The item of a list by its index or its id. */
const indexIn = (list: readonly unknown[], key: string): number =>
  /^\d+$/.test(key)
    ? Number(key) < list.length
      ? Number(key)
      : -1
    : list.findIndex((item) => isObject(item) && item["id"] === key)

/** `document` with the setting at its place; nothing else is changed. */
const put = (document: unknown, { text, keys, value }: Setting, depth = 0): unknown => {
  const key = keys[depth]
  if (key === undefined) return value
  if (Array.isArray(document)) {
    const at = indexIn(document, key)
    if (at < 0) {
      const ids = document.flatMap((item) => (isObject(item) && "id" in item ? [String(item["id"])] : []))
      const there = ids.length > 0 ? `one of ${ids.join(", ")}` : `an index below ${document.length}`
      throw refused(text, `${there} at ${keys.slice(0, depth).join(".")}`, JSON.stringify(key))
    }
    return document.map((item: unknown, i) => (i === at ? put(item, { text, keys, value }, depth + 1) : item))
  }
  const inner = isObject(document) && Object.hasOwn(document, key) ? document[key] : undefined
  return mergePatch(document, { [key]: put(inner, { text, keys, value }, depth + 1) })
}

/** A place of a profile's overlay is a place of the experiment here. */
const placed = ({ pointer, position: _position, ...rest }: Problem, profile: string): Problem => ({
  ...rest,
  pointer: pointer.startsWith(`/profiles/${profile}/`)
    ? pointer.slice(`/profiles/${profile}`.length)
    : pointer,
})

/**
 * The spec's profile with every setting, the later after the earlier. Its differences from the published experiment
 * name them, also where the profile is the published one.
 *
 * @throws SpecError that names the setting and what is wrong with the experiment that it makes
 */
export const withSettings = (spec: LoadedSpec, settings: readonly string[]): LoadedSpec => {
  if (settings.length === 0) return spec
  let document = spec.document
  for (const text of settings) document = put(document, parse(text))
  const patch = patchBetween(spec.document, document) as Readonly<Record<string, unknown>>
  try {
    return { ...spec.with(patch, { told: true }), settings }
  } catch (error) {
    if (!(error instanceof SpecError)) throw error
    const said = settings.map((text) => `--set ${text}`).join(" ")
    throw new SpecError(
      `${spec.file} ${said}`,
      error.problems.map((problem) => placed(problem, spec.profile)),
      error.more,
    )
  }
}
