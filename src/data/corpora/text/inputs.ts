/** The files that a spec's sources name: paths, patterns and folders, in one order that does not depend on the machine. */
import { readdir, stat } from "node:fs/promises"
import { join, resolve, sep } from "node:path"
import { DataError, fromSystemError } from "../../../files/errors.js"
import { parseSource } from "../../../files/sources.js"

const isPattern = (path: string): boolean => /[*?]/.test(path)

const escaped = (text: string): string => text.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")

/** A pattern of one name as an expression; hidden files are meant only where it begins with a dot. */
const nameExpression = (pattern: string): RegExp =>
  new RegExp(
    `^${pattern.startsWith(".") ? "" : "(?!\\.)"}${escaped(pattern).replaceAll("*", ".*").replaceAll("?", ".")}$`,
    "u",
  )

const entriesOf = async (folder: string) => {
  try {
    return await readdir(folder, { withFileTypes: true })
  } catch (error) {
    throw fromSystemError(error, folder, "looking for text files")
  }
}

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() === true

// Paths are added one by one: as arguments of one call, those of a large folder would not fit the stack.

/** Every file below a folder that is not hidden. */
const below = async (folder: string): Promise<readonly string[]> => {
  const found: string[] = []
  for (const { name } of await entriesOf(folder)) {
    if (name.startsWith(".")) continue
    const path = join(folder, name)
    if (await isFolder(path)) for (const file of await below(path)) found.push(file)
    else found.push(path)
  }
  return found
}

const matching = async (folder: string, [first, ...rest]: readonly string[]): Promise<readonly string[]> => {
  if (first === undefined) return []
  const found: string[] = []
  if (first === "**") {
    for (const file of rest.length === 0 ? await below(folder) : await matching(folder, rest))
      found.push(file)
    for (const { name } of rest.length === 0 ? [] : await entriesOf(folder))
      if (!name.startsWith(".") && (await isFolder(join(folder, name))))
        for (const file of await matching(join(folder, name), [first, ...rest])) found.push(file)
    return found
  }
  if (!isPattern(first)) {
    const path = join(folder, first)
    const there = await stat(path).catch(() => undefined)
    if (there === undefined) return []
    return rest.length > 0 ? matching(path, rest) : there.isDirectory() ? below(path) : [path]
  }
  const wanted = nameExpression(first)
  for (const { name } of await entriesOf(folder)) {
    if (!wanted.test(name)) continue
    const path = join(folder, name)
    const directory = await isFolder(path)
    if (rest.length > 0) for (const file of directory ? await matching(path, rest) : []) found.push(file)
    else if (!directory) found.push(path)
  }
  return found
}

const filesOf = async (path: string): Promise<readonly string[]> => {
  if (isPattern(path)) {
    const parts = path.split(sep)
    const first = parts.findIndex(isPattern)
    const folder = parts.slice(0, first).join(sep) || sep
    return (await isFolder(folder)) ? matching(folder, parts.slice(first)) : []
  }
  return (await isFolder(path)) ? below(path) : [path]
}

/**
 * Files of the sources, those of one source sorted by name; one that two sources name counts once.
 *
 * @param where the place in the spec, for people
 * @throws DataError when a source names no file
 */
export const textFiles = async (
  sources: readonly string[],
  where: string,
  base?: string,
): Promise<readonly string[]> => {
  const all = new Set<string>()
  for (const source of sources) {
    const parsed = parseSource(source, base)
    if (parsed.kind !== "file") throw new DataError("invalid", source, `${where} must be a file: path.`)
    const found = await filesOf(resolve(parsed.path))
    if (found.length === 0)
      throw new DataError(
        "missing",
        source,
        `no file is called so (${where}); correct the path or the pattern.`,
      )
    for (const file of [...found].sort((a, b) => (a < b ? -1 : 1))) {
      const there = await stat(file).catch((error: unknown) => {
        throw fromSystemError(error, file, `reading the text of ${where}`)
      })
      if (there.isFile()) all.add(file)
    }
  }
  return [...all]
}
