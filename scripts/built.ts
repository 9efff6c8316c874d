/**
 * Ends with exit code 0 when `dist/` is what the sources would build to. npm asks it after it has
 * installed a clone, and before it packs the package.
 */
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

const modified = async (path: string): Promise<number | undefined> =>
  (await stat(path).catch(() => undefined))?.mtimeMs

/** Whether every source of the package at `root` has an output that is as new as it and as what says how to build. */
export const isBuilt = async (root: string): Promise<boolean> => {
  const recipe = await Promise.all(
    ["tsconfig.json", "tsconfig.build.json", "package.json", "package-lock.json"].map(
      async (name) => (await modified(join(root, name))) ?? Infinity,
    ),
  )
  const since = Math.max(...recipe)
  const names = await readdir(join(root, "src"), { recursive: true })
  const current = await Promise.all(
    names
      .filter((name) => name.endsWith(".ts"))
      .map(async (name) => {
        const source = (await modified(join(root, "src", name))) ?? Infinity
        const output = (await modified(join(root, "dist", name.replace(/\.ts$/, ".js")))) ?? -Infinity
        return output >= Math.max(source, since)
      }),
  )
  return current.length > 0 && current.every(Boolean)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  process.exitCode = (await isBuilt(fileURLToPath(new URL("..", import.meta.url)))) ? 0 : 1
