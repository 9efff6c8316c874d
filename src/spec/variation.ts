/**
 * A spec of one's own that varies another: `extends` names it, and everything else is a merge patch (RFC 7396) on its
 * experiment, in every profile, in which an object of another kind replaces what it meets. Relative file: paths belong to the folder of the spec that says them.
 */
import { stat } from "node:fs/promises"
import { basename, dirname, isAbsolute, join, relative } from "node:path"
import { packageFile } from "../files/package-files.js"
import { crowdedProblems } from "./crowded.js"
import { readJson, withPositions, type Locate } from "./decode.js"
import { composePatches, mergePatch } from "./merge-patch.js"
import { keysOf } from "./pointer.js"
import { SpecError } from "./spec-error.js"

type Document = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Document =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Of the specs that come with the program. */
const PACKAGE = packageFile("specs")

const isFile = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isFile() === true

/** The file that a spec names another by, at `pointer`: beside it, in ./specs, or among those of the program. */
export const findNamedSpec = async (name: string, file: string, pointer: string): Promise<string> => {
  const names = name.endsWith(".json") ? [name] : [`${name}.json`, name]
  const folders = isAbsolute(name) ? [""] : [dirname(file), "specs", PACKAGE]
  for (const folder of folders)
    for (const each of names) {
      const path = folder === "" ? each : join(folder, each)
      if (await isFile(path)) return path
    }
  throw new SpecError(file, [
    {
      pointer,
      expected: "a spec file beside this one, or the name of a spec",
      found: JSON.stringify(name),
      hint: "`repro list` shows the specs that are here.",
    },
  ])
}

const FILE = /^file:(?!\/)(.+)$/

/** Two keys that are one path and say different things. */
class SpelledTwice extends Error {
  readonly keys: readonly [string, string]

  constructor(first: string, second: string) {
    super(`${first} and ${second} are one path`)
    this.keys = [first, second]
  }
}

/**
 * `value` with every relative file: path, also in keys, taken from `folder`; the same value where there is none.
 *
 * @throws SpelledTwice where one of two keys would be lost
 */
const rooted = (value: unknown, folder: string): unknown => {
  const path = (text: string): string => {
    const name = FILE.exec(text)?.[1]
    return name === undefined ? text : `file:${relative(process.cwd(), join(folder, name))}`
  }
  if (typeof value === "string") return path(value)
  if (Array.isArray(value)) return value.map((item: unknown) => rooted(item, folder))
  if (!isObject(value)) return value
  const entries = Object.entries(value).map(
    ([key, inner]) => [path(key), rooted(inner, folder), key] as const,
  )
  const first = new Map<string, (typeof entries)[number]>()
  for (const entry of entries) {
    const [to, inner, key] = entry
    const earlier = first.get(to)
    if (earlier === undefined) first.set(to, entry)
    else if (JSON.stringify(earlier[1]) !== JSON.stringify(inner)) throw new SpelledTwice(earlier[2], key)
  }
  return Object.fromEntries(entries)
}

/** The same body where nothing in its data changes. */
const rootedData = (body: unknown, folder: string): unknown => {
  if (!isObject(body) || !Object.hasOwn(body, "data")) return body
  const data = rooted(body["data"], folder)
  return JSON.stringify(data) === JSON.stringify(body["data"]) ? body : { ...body, data }
}

/** A spec file's document with the paths of its data taken from its folder. */
const rootedDocument = (document: Document, folder: string): Document => {
  const { profiles } = document
  const body = rootedData(document, folder) as Document
  const overlays = Object.entries(isObject(profiles) ? profiles : {})
  const moved = overlays.map(([name, overlay]) => [name, rootedData(overlay, folder)] as const)
  return moved.every(([, overlay], i) => overlay === overlays[i]![1])
    ? body
    : { ...body, profiles: Object.fromEntries(moved) }
}

/** @throws SpecError where two spellings of one path contradict each other */
const rootedOf = (document: Document, file: string, locate: Locate): Document => {
  try {
    return rootedDocument(document, dirname(file))
  } catch (error) {
    if (!(error instanceof SpelledTwice)) throw error
    const [first, second] = error.keys
    const pointer = "/data/corpus/sha256"
    const position = locate(pointer)
    throw new SpecError(file, [
      {
        pointer,
        expected: "one entry for each path",
        found: `${first} and ${second}, one path with two values`,
        hint: "Keep the one that is meant.",
        ...(position === undefined ? {} : { position }),
      },
    ])
  }
}

/** A spec file as one document that stands alone. */
export interface Resolved {
  readonly text: string
  /** Where a place stands in the file itself; undefined for one that another file says. */
  readonly locate: Locate
  /** Whether the text is not the file's own. */
  readonly changed: boolean
}

const nameOf = (file: string): string =>
  basename(file, ".json")
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")

/**
 * A patch in which an object of another `kind` than the one it meets takes its place whole: every key that this one has
 * and that one lacks is removed.
 */
const replacingKinds = (patch: unknown, met: unknown): unknown => {
  if (!isObject(patch)) return patch
  const before = isObject(met) ? met : {}
  const other =
    typeof patch["kind"] === "string" &&
    typeof before["kind"] === "string" &&
    patch["kind"] !== before["kind"]
  const left = other ? Object.keys(before).filter((key) => !Object.hasOwn(patch, key)) : []
  return {
    ...Object.fromEntries(left.map((key) => [key, null])),
    ...Object.fromEntries(
      Object.entries(patch).map(([key, value]) => [key, replacingKinds(value, before[key])]),
    ),
  }
}

/** An experiment of one's own with what only a published one has to say. */
const completed = (own: Document, file: string): Document => {
  const { id = nameOf(file) } = own
  return { id, title: id, claims: [], profiles: {}, ...own }
}

/** Whether a patch puts other text or another tokenizer in the place of the published ones. */
const changesText = ({ data }: Document): boolean =>
  isObject(data) && (data["corpus"] !== undefined || data["tokenizer"] !== undefined)

/**
 * A patch with the claims that go with it: published figures are about the published text, so that other text is beside
 * none of them unless it names some itself.
 */
const withClaims = (patch: Document): Document =>
  changesText(patch) && patch["claims"] === undefined ? { ...patch, claims: [] } : patch

/** The variation as a whole document: the other's with this one's patch in every profile. */
const varied = (own: Document, parent: Document, file: string): Document => {
  const { $schema: _schema, schemaVersion, extends: _extends, profiles, ...stated } = own
  const patch = withClaims(stated)
  const { schemaVersion: _version, $schema: _own, profiles: others, published, ...base } = parent
  const { id = nameOf(file), title = `${String(id)}, a variation of ${String(base["id"])}` } = patch
  const inherited = isObject(others) ? others : {}
  const added: Document = isObject(profiles)
    ? Object.fromEntries(
        Object.entries(profiles).map(([name, overlay]) => [
          name,
          isObject(overlay) && patch["claims"] === undefined ? withClaims(overlay) : overlay,
        ]),
      )
    : {}
  const names = new Set([...Object.keys(inherited), ...Object.keys(added)])
  const overlays = [...names].flatMap((name): readonly (readonly [string, unknown])[] => {
    if (Object.hasOwn(added, name) && added[name] === null) return []
    const overlay = Object.hasOwn(inherited, name) ? inherited[name] : {}
    const before = composePatches(overlay, replacingKinds(patch, mergePatch(base, overlay)))
    if (!Object.hasOwn(added, name)) return [[name, before]]
    const met = mergePatch(mergePatch(base, replacingKinds(patch, base)), before)
    return [[name, composePatches(before, replacingKinds(added[name], met))]]
  })
  return {
    schemaVersion: schemaVersion ?? 1,
    ...(mergePatch(base, { ...(replacingKinds(patch, base) as Document), id, title }) as Document),
    profiles: profiles === undefined || isObject(profiles) ? Object.fromEntries(overlays) : profiles,
    published: published ?? base,
  }
}

/**
 * The spec with what it extends filled in and its paths taken from its folder.
 *
 * @param seen files that led here
 * @throws SpecError where `extends` leads nowhere or in a circle, or a file on the way is no JSON or has more keys than
 *   any spec
 */
export const resolveSpec = async (
  text: string,
  file: string,
  read: (path: string) => Promise<string>,
  seen: readonly string[] = [],
): Promise<Resolved> => {
  const { value: document, mostKeys, locate } = readJson(text, file)
  if (!isObject(document)) return { text, locate, changed: false }
  const { told, more } = crowdedProblems(document, mostKeys)
  if (told.length > 0) throw new SpecError(file, withPositions(told, locate), more)
  const own = rootedOf(document, file, locate)
  if (!Object.hasOwn(own, "extends")) {
    const whole = completed(own, file)
    const isWhole = Object.keys(whole).length === Object.keys(document).length
    const changed = !isWhole || own !== document
    return { text: changed ? `${JSON.stringify(whole, null, 2)}\n` : text, locate, changed }
  }
  const name = own["extends"]
  const wrong = (expected: string, found: string): SpecError => {
    const position = locate("/extends")
    return new SpecError(file, [
      { pointer: "/extends", expected, found, ...(position === undefined ? {} : { position }) },
    ])
  }
  if (typeof name !== "string" || name === "")
    throw wrong("the name or file of the spec that this one varies", JSON.stringify(name))
  const parentFile = await findNamedSpec(name, file, "/extends")
  if ([...seen, file].some((each) => relative(each, parentFile) === ""))
    throw wrong("a spec that does not vary this one in turn", JSON.stringify(name))
  const parent = await resolveSpec(await read(parentFile), parentFile, read, [...seen, file])
  const whole = varied(own, readJson(parent.text, parentFile).value as Document, file)
  const isOwn = (pointer: string): boolean => {
    let value: unknown = document
    for (const key of keysOf(pointer)) {
      if (!isObject(value)) return Array.isArray(value)
      if (!Object.hasOwn(value, key)) return false
      value = value[key]
    }
    return true
  }
  return {
    text: `${JSON.stringify(whole, null, 2)}\n`,
    locate: (pointer) => (isOwn(pointer) ? locate(pointer) : undefined),
    changed: true,
  }
}
