/** Generated data on disk: written once into the cache, so that their digests are known and every reader takes them. */
import { join } from "node:path"
import { writeFileAtomic } from "../../../files/atomic.js"
import { bytesDigest, knownFileDigest } from "../../../files/digest.js"
import { DataError } from "../../../files/errors.js"
import { inspectShard, writeShard } from "../../rows/shards.js"
import { literalTokenizer } from "../../tokenizers/literal.js"
import { pieceFile } from "../../tokenizers/piece-file.js"
import { findPrepared, locatePrepared, TOTALS_FILE, type PreparedPart } from "../prepared.js"
import type { CorpusOptions, CorpusStore, PrepareOptions, SplitName } from "../store.js"
import type { Generated } from "./schema.js"
import { CONTROL_PIECES, generatedIds, generatedItem, generatedKind, generatedSource } from "./sources.js"

const PIECES = "pieces.json"

const place = (corpus: Generated, { cacheDir }: CorpusOptions) => {
  const { task, seed, trainItems, validationItems, validation } = corpus
  const pieces = literalTokenizer([...generatedSource(task).pieces, ...CONTROL_PIECES]).digest
  const inputs = { recipe: generatedKind(task).recipe ?? 1, task, pieces, seed, trainItems, validationItems, ...(validation === undefined ? {} : { validation }) }
  return { folder: join(cacheDir, "generated", bytesDigest(JSON.stringify(inputs)).slice(0, 16)), inputs }
}

const write = async (
  corpus: Generated,
  split: SplitName,
  folder: string,
  { onEvent, signal }: PrepareOptions,
): Promise<PreparedPart> => {
  const items = split === "train" ? corpus.trainItems : corpus.validationItems
  const { boundaryId, separatorId } = generatedIds(corpus.task)
  const { encode } = literalTokenizer(generatedSource(corpus.task).pieces)
  // Every item lies between two boundaries, the last one too.
  const ids: number[] = [boundaryId]
  let bytes = 0
  for (let k = 0; k < items; k++) {
    if (k % 1024 === 0) signal?.throwIfAborted()
    const { prompt, target } = generatedItem(corpus, corpus.validation ?? split, k)
    if (prompt !== undefined) {
      for (const id of encode(prompt)) ids.push(id)
      ids.push(separatorId)
      bytes += Buffer.byteLength(prompt)
    }
    for (const id of encode(target)) ids.push(id)
    ids.push(boundaryId)
    bytes += Buffer.byteLength(target)
  }
  const file = `${corpus.task.kind}_${split === "train" ? "train" : "val"}_000000.bin`
  const path = join(folder, file)
  await writeShard(path, Uint16Array.from(ids))
  onEvent?.({ kind: "written", path, tokens: ids.length })
  return {
    documents: items,
    tokens: ids.length,
    bytes,
    shards: [{ file, tokens: ids.length, sha256: await knownFileDigest(path) }],
  }
}

const find = async (corpus: Generated, options: CorpusOptions) => {
  const { folder, inputs } = place(corpus, options)
  const totals = await findPrepared({ folder, inputs })
  if (totals === undefined)
    throw new DataError("missing", folder, "the items are not generated; run `repro prepare` first.")
  return locatePrepared(folder, totals)
}

export const generatedStore: CorpusStore<Generated> = {
  kind: "generated",
  tokenizer: async (corpus, options) => join(place(corpus, options).folder, PIECES),
  prepare: async ({ corpus }, options) => {
    const { folder, inputs } = place(corpus, options)
    if (options.rewrite !== true && (await findPrepared({ folder, inputs })) !== undefined)
      return options.onEvent?.({ kind: "reused", path: folder })
    const { pieces } = generatedSource(corpus.task)
    await writeFileAtomic(join(folder, PIECES), pieceFile(pieces, CONTROL_PIECES))
    const totals = {
      inputs,
      train: await write(corpus, "train", folder, options),
      validation: await write(corpus, "validation", folder, options),
    }
    await writeFileAtomic(join(folder, TOTALS_FILE), `${JSON.stringify(totals, undefined, 2)}\n`)
  },
  locate: ({ corpus }, options) => find(corpus, options),
  check: async ({ corpus }, options, { look, tokenizer }) => {
    await look(place(corpus, options).folder, undefined, async () => {
      const { train, validation } = await find(corpus, options)
      for (const path of [...validation, ...train]) await inspectShard(path)
    })
    await tokenizer(undefined)
  },
}
