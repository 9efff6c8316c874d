/**
 * The token stream of one split, written as it is made: tokens are appended to a file, and a journal says after each
 * group of batches how far the file is good. What a killed process left is gone on with, batch by batch.
 */
import { createHash } from "node:crypto"
import { open, readFile } from "node:fs/promises"
import { writeFully } from "../../../files/atomic.js"
import { fromSystemError } from "../../../files/errors.js"
import { readParts } from "../../../files/parts.js"
import { addSums, NO_TEXT, type TextSums } from "./count.js"
import { tokeniseAll, type Threads } from "./pool.js"

/** Characters of one batch. */
const BATCH = 1 << 18
/** Batches between two entries of the journal. */
const GROUP = 16

/** Documents in batches of about equal size; their cut depends on the text alone. */
async function* batchesOf(documents: AsyncIterable<string>, skip: number): AsyncIterable<readonly string[]> {
  let batch: string[] = []
  let [size, number] = [0, 0]
  for await (const document of documents) {
    batch.push(document)
    size += document.length
    if (size < BATCH) continue
    if (number++ >= skip) yield batch
    batch = []
    size = 0
  }
  if (batch.length > 0 && number >= skip) yield batch
}

interface Entry {
  /** Batches, and bytes of the token file, up to here. */
  readonly batches: number
  readonly end: number
  /** Of the tokens since the entry before. */
  readonly sha256: string
  /** Up to here. */
  readonly sums: TextSums
}

const START: Entry = { batches: 0, end: 0, sha256: "", sums: NO_TEXT }

const digestOf = async (path: string, start: number, end: number): Promise<string> => {
  const hash = createHash("sha256")
  await readParts(path, (part) => hash.update(part), { start, end })
  return hash.digest("hex")
}

/** The last entry of a journal up to which the token file is as it was written. */
const lastGood = async (path: string): Promise<{ readonly entries: readonly Entry[] }> => {
  const text = await readFile(`${path}.journal`, "utf8").catch(() => "")
  const entries: Entry[] = []
  for (const line of text.split("\n").slice(0, -1)) {
    try {
      const entry = JSON.parse(line) as Entry
      const start = entries.at(-1)?.end ?? 0
      if ((await digestOf(path, start, entry.end)) !== entry.sha256) break
      entries.push(entry)
    } catch {
      break
    }
  }
  return { entries }
}

export interface StreamJob extends Threads {
  readonly path: string
  readonly documents: () => AsyncIterable<string>
  readonly onTokens?: (sums: TextSums) => void
  readonly signal?: AbortSignal | undefined
}

/** @param stream path of the token file; @returns the sums of the whole split */
export const writeStream = async (
  stream: string,
  { documents, onTokens, signal, ...threads }: StreamJob,
): Promise<TextSums> => {
  try {
    const { entries } = await lastGood(stream)
    const from = entries.at(-1) ?? START
    const tokens = await open(stream, "a+")
    const journal = await open(`${stream}.journal`, "w")
    try {
      await tokens.truncate(from.end)
      await writeFully(journal, Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join("")))
      let { batches, end, sums } = from
      let hash = createHash("sha256")
      const settle = async (): Promise<void> => {
        await tokens.sync()
        const entry: Entry = { batches, end, sha256: hash.digest("hex"), sums }
        await writeFully(journal, Buffer.from(`${JSON.stringify(entry)}\n`))
        await journal.sync()
        hash = createHash("sha256")
      }
      for await (const made of tokeniseAll(batchesOf(documents(), batches), threads)) {
        signal?.throwIfAborted()
        const bytes = new Uint8Array(made.tokens.buffer, made.tokens.byteOffset, made.tokens.byteLength)
        await writeFully(tokens, bytes)
        hash.update(bytes)
        batches++
        end += bytes.length
        sums = addSums(sums, made.sums)
        onTokens?.(sums)
        if (batches % GROUP === 0) await settle()
      }
      if (batches % GROUP !== 0) await settle()
      return sums
    } finally {
      await tokens.close()
      await journal.close()
    }
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") throw error
    throw fromSystemError(error, stream, "writing tokens")
  }
}
