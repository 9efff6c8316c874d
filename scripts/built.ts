/**
 * Ends with exit code 0 when `dist/` is what the sources would build to. npm asks it after it has
 * installed a clone, and before it packs the package.
 */
import { readdir, readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

/** What says how to build, beside the sources. */
const RECIPE = ["scripts/build.ts", "tsconfig.json", "package.json", "package-lock.json"]

/** Written last: the sources that a build was made of. */
export const SOURCES = "sources.json"

const modified = async (path: string): Promise<number | undefined> =>
  (await stat(path).catch(() => undefined))?.mtimeMs

/** Modules below `src/`, in order. */
export const sourcesOf = async (root: string): Promise<readonly string[]> =>
  (await readdir(join(root, "src"), { recursive: true })).filter((name) => name.endsWith(".ts")).sort()

/** Whether `dist/` was made of the sources of the package at `root` and is as new as each and as the recipe. */
export const isBuilt = async (root: string): Promise<boolean> => {
  const record = join(root, "dist", SOURCES)
  const [text, since, names] = await Promise.all([
    readFile(record, "utf8").catch(() => undefined),
    modified(record),
    sourcesOf(root),
  ])
  if (text === undefined || since === undefined || text !== sourcesText(names)) return false
  const paths = [...RECIPE, ...names.map((name) => join("src", name))]
  const times = await Promise.all(paths.map((path) => modified(join(root, path))))
  return times.every((time) => time !== undefined && time <= since)
}

/** Contents of {@link SOURCES}. */
export const sourcesText = (names: readonly string[]): string => `${JSON.stringify(names, null, 1)}\n`

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  process.exitCode = (await isBuilt(fileURLToPath(new URL("..", import.meta.url)))) ? 0 : 1
