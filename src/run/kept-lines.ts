/**
 * A file in which an evaluation that was stopped finds what it had done: the digest of what that depends on, then a line
 * for each piece. A line that a kill left unfinished, or that was damaged, is passed over.
 */
import { createHash } from "node:crypto"
import { appendFile, readFile, rm, rmdir, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { systemCode } from "../files/errors.js"
import { runErrorFrom } from "./errors.js"
import { makeFolder } from "../files/folder.js"

export interface KeptLines<Line> {
  readonly found: readonly Line[]
  readonly keep: (line: Line) => Promise<void>
  /** The evidence is written: nothing of this is needed any more. */
  readonly done: () => Promise<void>
}

export interface KeptLinesOptions<Line> {
  /** Folder of the run. */
  readonly directory: string
  /** File name beside those of other evaluations. */
  readonly name: string
  /** What the pieces depend on; those of others are dropped. */
  readonly of: string
  /** What the pieces are, in errors. */
  readonly pieces: string
  /** Whether a line is as it was written; it may throw at one that is not. */
  readonly sound: (line: Line) => boolean
}

export const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex")

export const openKeptLines = async <Line>(options: KeptLinesOptions<Line>): Promise<KeptLines<Line>> => {
  const { directory, name, pieces, sound } = options
  const path = join(directory, "partial", name)
  const of = digestOf(options.of)
  const found: Line[] = []
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return ""
    throw runErrorFrom(error, path, `reading the ${pieces}`)
  })
  const [head, ...lines] = text.split("\n")
  if (head === of)
    for (const each of lines)
      try {
        const line = JSON.parse(each) as Line
        if (sound(line)) found.push(line)
      } catch {
        continue // unfinished or damaged
      }
  const save = async (write: () => Promise<void>): Promise<void> => {
    try {
      await write()
    } catch (error) {
      throw runErrorFrom(error, path, `keeping the ${pieces}`)
    }
  }
  await save(async () => {
    await makeFolder(dirname(path))
    await writeFile(path, [of, ...found.map((line) => JSON.stringify(line))].join("\n") + "\n")
  })
  return {
    found,
    keep: (line) => save(() => appendFile(path, `${JSON.stringify(line)}\n`)),
    done: async () => {
      await rm(path, { force: true })
      await rmdir(dirname(path)).catch(() => undefined) // other evaluations may have theirs
    },
  }
}
