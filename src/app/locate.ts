/** Finds spec files: by path, by name in ./specs, or by name among those that come with the program. */
import { Stats } from "node:fs"
import { readdir, readFile, stat } from "node:fs/promises"
import { basename, join, relative } from "node:path"
import { systemCode } from "../files/errors.js"
import { packageRoot } from "../files/package-files.js"
import { nearest } from "../spec/nearest.js"
import { SpecError } from "../spec/spec-error.js"

/** Bytes; a larger file of a folder is no spec. */
const LARGEST_SPEC = 4_000_000

export const isFile = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}

/** A path as short as it can be said from here. */
export const shortPath = (path: string): string => {
  const short = relative(process.cwd(), path)
  return short === "" || short.startsWith("..") ? path : short
}

/** Keys that only a spec has beside `extends` or `schemaVersion`: other tools extend files too. */
const OWN_KEYS = ["profiles", "id", "data", "model", "objective", "training", "evaluations", "sweep", "init"]

/** Whether a JSON file of a folder that holds others too is meant as a spec. */
const isSpec = async (path: string): Promise<boolean> => {
  try {
    if ((await stat(path)).size > LARGEST_SPEC) return false
    const value = JSON.parse(await readFile(path, "utf8")) as unknown
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false
    const { extends: base, schemaVersion, $schema: _schema, ...rest } = value as Record<string, unknown>
    if (typeof base !== "string" && schemaVersion === undefined) return false
    return Object.keys(rest).length === 0 || OWN_KEYS.some((key) => Object.hasOwn(rest, key))
  } catch {
    return false
  }
}

const jsonFilesOf = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".json")).sort()

/** Specs in this folder, then every file of ./specs and of the package's specs; a name seen first wins. */
export const specFiles = async (): Promise<readonly string[]> => {
  const found = new Map<string, string>()
  const here = process.cwd()
  for (const name of await jsonFilesOf(here))
    if (await isSpec(join(here, name))) found.set(name, shortPath(join(here, name)))
  for (const folder of new Set([join(here, "specs"), join(packageRoot, "specs")])) {
    for (const name of await jsonFilesOf(folder))
      if (!found.has(name)) found.set(name, shortPath(join(folder, name)))
  }
  return [...found.values()]
}

/** Files of a folder that are looked at for an example. */
const MOST_LOOKED_AT = 50

/** Words for what stands at a path that is no file, with the cure; undefined where nothing does. */
const otherThanFile = async (path: string): Promise<{ found: string; hint: string } | undefined> => {
  const about = await stat(path).catch((error: unknown) => error)
  if (!(about instanceof Stats)) {
    const code = systemCode(about)
    return code === undefined || code === "ENOENT" || code === "ENOTDIR"
      ? undefined
      : { found: `a path that cannot be read (${code})`, hint: "Correct the path, or make it readable." }
  }
  if (about.isDirectory()) {
    const files = (await jsonFilesOf(path)).slice(0, MOST_LOOKED_AT).map((name) => join(path, name))
    const specs = (await Promise.all(files.map(async (file) => ((await isSpec(file)) ? [file] : [])))).flat()
    const hint =
      specs.length === 0
        ? "Name the file of a spec; there is none in this folder."
        : `Name the file in it, such as ${specs.slice(0, 3).join(", ")}.`
    return { found: "a folder", hint }
  }
  const found = about.isFIFO() ? "a pipe" : about.isSocket() ? "a socket" : "a device"
  return {
    found,
    hint: "Write the spec to a file, which is read several times, and whose folder its paths belong to.",
  }
}

/** The file that `given` means; throws a {@link SpecError} that names the nearest spec. */
export const locateSpec = async (given: string): Promise<string> => {
  const names = given.endsWith(".json") ? [given] : [given, `${given}.json`]
  const folders = ["", "specs", packageRoot, join(packageRoot, "specs")]
  for (const folder of folders) {
    for (const name of names) {
      const path = folder === "" ? name : join(folder, name)
      if (await isFile(path)) return shortPath(path)
    }
  }
  const other = await otherThanFile(given)
  if (other !== undefined) throw new SpecError(given, [{ pointer: "", expected: "a spec file", ...other }])
  const there = (await specFiles()).map((path) => basename(path, ".json"))
  const near = nearest(basename(given, ".json"), there)
  throw new SpecError(given, [
    {
      pointer: "",
      expected: "a spec file",
      found: "no such file",
      ...(near === undefined ? {} : { nearest: near }),
      hint: "`repro list` shows the specs that are here.",
    },
  ])
}
