/** Text to token shards under the cache, once for each set of inputs. */
import { open, rm, stat } from "node:fs/promises"
import { availableParallelism } from "node:os"
import { basename, join } from "node:path"
import { writeFileAtomic } from "../../../files/atomic.js"
import { bytesDigest, knownFileDigest } from "../../../files/digest.js"
import { DataError } from "../../../files/errors.js"
import { writeShard } from "../../rows/shards.js"
import { findPrepared, TOTALS_FILE, type PreparedPart, type PreparedTotals } from "../prepared.js"
import type { CorpusOptions, PrepareOptions, SplitName, StoreJob } from "../store.js"
import type { TextSums } from "./count.js"
import { documentsOf } from "./documents.js"
import { textFiles } from "./inputs.js"
import type { Text } from "./schema.js"
import { writeStream } from "./stream.js"
import { workFolder } from "./work-folder.js"

/** Raise when shards made from equal inputs would differ. */
const RECIPE = 2
/** Bytes of files that are worth a thread. */
const BYTES_PER_THREAD = 1 << 22
const MOST_THREADS = 16

export interface TextPart extends PreparedPart, Omit<TextSums, "documents" | "tokens" | "bytes"> {}
export interface TextTotals extends PreparedTotals {
  readonly train: TextPart
  readonly validation: TextPart
}

export interface TextPlace {
  readonly files: Readonly<Record<SplitName, readonly string[]>>
  readonly folder: string
  readonly inputs: Readonly<Record<string, unknown>>
}

const described = async (paths: readonly string[]) => {
  const found: { readonly file: string; readonly sha256: string }[] = []
  for (const path of paths) found.push({ file: basename(path), sha256: await knownFileDigest(path) })
  return found
}

/** Where the shards of these files lie; the files are read for their digests. */
export const placeText = async (
  job: StoreJob<Text>,
  { cacheDir, base }: CorpusOptions,
): Promise<TextPlace> => {
  const { train, validation, document, field, trainShards = 1 } = job.corpus
  const { digest } = await job.model()
  const files = {
    train: await textFiles(train, "data.corpus.train", base),
    validation:
      "holdOutEvery" in validation ? [] : await textFiles(validation, "data.corpus.validation", base),
  }
  const inputs = {
    recipe: RECIPE,
    tokenizer: digest,
    boundaryId: job.tokenizer.boundaryId,
    document,
    field: field ?? null,
    trainShards,
    holdOutEvery: "holdOutEvery" in validation ? validation.holdOutEvery : null,
    train: await described(files.train),
    validation: await described(files.validation),
  }
  return { files, inputs, folder: join(cacheDir, "text", bytesDigest(JSON.stringify(inputs)).slice(0, 16)) }
}

/** Writes tokens `from` to `to` of a token file as a shard. */
const cutShard = async (stream: string, from: number, to: number, path: string): Promise<void> => {
  const tokens = new Uint16Array(to - from)
  const bytes = new Uint8Array(tokens.buffer)
  const handle = await open(stream, "r")
  try {
    for (let done = 0; done < bytes.length;) {
      const { bytesRead } = await handle.read(
        bytes,
        done,
        Math.min(bytes.length - done, 1 << 26),
        2 * from + done,
      )
      if (bytesRead === 0) throw new DataError("truncated", stream, "it became shorter while it was read.")
      done += bytesRead
    }
  } finally {
    await handle.close()
  }
  await writeShard(path, tokens)
}

const sizeOf = async (files: readonly string[]): Promise<number> => {
  let size = 0
  for (const file of files) size += (await stat(file)).size
  return size
}

/**
 * Make the shards of this corpus, or find them made.
 * @throws DataError when a file is no text, or the text does not fill the shards
 */
export const prepareText = async (job: StoreJob<Text>, options: PrepareOptions): Promise<TextTotals> => {
  const { corpus, tokenizer } = job
  const { onEvent, signal } = options
  const { files, folder, inputs } = await placeText(job, options)
  const found = await findPrepared({ folder, inputs })
  if (found !== undefined) {
    onEvent?.({ kind: "reused", path: folder })
    return found as TextTotals
  }
  const model = await job.model()
  const path = await job.tokenizerPath()
  const work = await workFolder(folder)
  const { validation, trainShards = 1 } = corpus

  const write = async (split: SplitName, count: number): Promise<TextPart> => {
    const held = "holdOutEvery" in validation ? validation.holdOutEvery : undefined
    const paths = held === undefined ? files[split] : files.train
    const total = await sizeOf(paths)
    let read = 0
    const documents = async function* (): AsyncIterable<string> {
      let index = 0
      for (const file of paths)
        for await (const document of documentsOf(file, corpus, (bytes) => (read += bytes))) {
          const out = held !== undefined && index++ % held === Math.floor((held - 1) / 2)
          if (held === undefined || out === (split === "validation")) yield document
        }
    }
    const wanted = options.workers ?? Math.min(availableParallelism(), MOST_THREADS)
    const stream = join(work, `${split}.tokens`)
    const sums = await writeStream(stream, {
      documents,
      workers:
        wanted <= 1 || total < 2 * BYTES_PER_THREAD
          ? 0
          : Math.min(wanted, Math.ceil(total / BYTES_PER_THREAD)),
      model,
      path,
      boundaryId: tokenizer.boundaryId,
      signal,
      onTokens: () => onEvent?.({ kind: "tokenised", split, bytes: read, total }),
    })
    if (sums.tokens < count || sums.documents === 0)
      throw new DataError(
        "invalid",
        held === undefined ? corpus[split].toString() : corpus.train.toString(),
        sums.documents === 0
          ? split === "validation" && held !== undefined
            ? `there are fewer than ${Math.floor((held - 1) / 2) + 1} documents, so that none is held out; lower data.corpus.validation.holdOutEvery, or cut documents smaller.`
            : `there is no text in the files of data.corpus.${split}.`
          : `${sums.tokens} tokens do not fill ${count} shards; lower data.corpus.trainShards.`,
      )
    const shards: { file: string; tokens: number; sha256: string }[] = []
    for (let i = 0; i < count; i++) {
      const [from, to] = [Math.floor((i * sums.tokens) / count), Math.floor(((i + 1) * sums.tokens) / count)]
      const file = `text_${split === "train" ? "train" : "val"}_${String(i).padStart(6, "0")}.bin`
      const shard = join(folder, file)
      await cutShard(stream, from, to, shard)
      onEvent?.({ kind: "written", path: shard, tokens: to - from })
      shards.push({ file, tokens: to - from, sha256: await knownFileDigest(shard) })
    }
    return { ...sums, shards }
  }

  const totals: TextTotals = {
    inputs,
    train: await write("train", trainShards),
    validation: await write("validation", 1),
  }
  await writeFileAtomic(join(folder, TOTALS_FILE), `${JSON.stringify(totals, undefined, 2)}\n`)
  await rm(work, { recursive: true, force: true })
  return totals
}
