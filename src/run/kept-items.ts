/**
 * Items of an evaluation that are done, so that one which was stopped goes on behind them. They are parts that were made
 * together: a part that a kill left unfinished, or that was damaged, is passed over and made again as a whole.
 */
import { createHash } from "node:crypto"
import { appendFile, mkdir, readFile, rm, rmdir, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import type { KeptItems, KeptPart } from "../evaluators/job.js"
import { systemCode } from "../files/errors.js"
import { runErrorFrom } from "./errors.js"

interface Line {
  readonly part: string
  readonly sha256: string
  readonly made: KeptPart
}

export interface ItemStore extends KeptItems {
  /** Parts that an earlier call left. */
  readonly found: number
  /** The evidence is written: nothing of this is needed any more. */
  readonly done: () => Promise<void>
}

export interface ItemStoreOptions {
  /** Folder of the run. */
  readonly directory: string
  readonly evaluation: string
  /** What the items depend on: weights, executor, the evaluation itself. Those of others are dropped. */
  readonly of: string
}

const sum = (part: string, made: KeptPart): string =>
  createHash("sha256")
    .update(JSON.stringify([part, made]))
    .digest("hex")

const readParts = async (path: string, of: string): Promise<Map<string, Line>> => {
  const found = new Map<string, Line>()
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return ""
    throw runErrorFrom(error, path, "reading the items that are done")
  })
  const [head, ...lines] = text.split("\n")
  if (head !== of) return found
  for (const each of lines) {
    try {
      const line = JSON.parse(each) as Line
      if (sum(line.part, line.made) === line.sha256) found.set(line.part, line)
    } catch {
      continue // unfinished or damaged
    }
  }
  return found
}

export const openItems = async ({ directory, evaluation, of }: ItemStoreOptions): Promise<ItemStore> => {
  const path = join(directory, "partial", `${evaluation}.items.ndjson`)
  const digest = createHash("sha256").update(of).digest("hex")
  const parts = await readParts(path, digest)
  const save = async (write: () => Promise<void>): Promise<void> => {
    try {
      await write()
    } catch (error) {
      throw runErrorFrom(error, path, "keeping the items that are done")
    }
  }
  await save(async () => {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(
      path,
      [digest, ...[...parts.values()].map((line) => JSON.stringify(line))].join("\n") + "\n",
    )
  })
  return {
    found: parts.size,
    find: (part) => parts.get(part)?.made,
    keep: (part, made) =>
      save(() => appendFile(path, `${JSON.stringify({ part, sha256: sum(part, made), made })}\n`)),
    done: async () => {
      await rm(path, { force: true })
      await rmdir(dirname(path)).catch(() => undefined) // other evaluations may have theirs
    },
  }
}
