/** Finds spec files: by path, by name in ./specs, or by name among those that come with the program. */
import { readdir, stat } from "node:fs/promises"
import { basename, dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { nearest } from "../spec/nearest.js"
import { SpecError } from "../spec/spec-error.js"

/** Root of this package: two levels above this file, in src and in dist alike. */
export const packageRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

const isFile = async (path: string): Promise<boolean> => {
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

/** Spec files in ./specs, then those of the package; a name seen first wins. */
export const specFiles = async (): Promise<readonly string[]> => {
  const found = new Map<string, string>()
  for (const folder of new Set([join(process.cwd(), "specs"), join(packageRoot, "specs")])) {
    const names = await readdir(folder).catch(() => [])
    for (const name of names.filter((each) => each.endsWith(".json")).sort())
      if (!found.has(name)) found.set(name, shortPath(join(folder, name)))
  }
  return [...found.values()]
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
