/** Preparing the embedded corpus: speeches to token shards under the cache, once for each set of inputs. */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import type { Speeches } from "./schema.js"
import { writeFileAtomic } from "../../../files/atomic.js"
import { encoderOf, type Encoder } from "../../tokenizers/encoder.js"
import { bytesDigest } from "../../../files/digest.js"
import { DataError } from "../../../files/errors.js"
import type { OnPrepareEvent } from "../../../files/events.js"
import type { SentencePieceModel } from "../../tokenizers/sentencepiece.js"
import { writeShard } from "../../rows/shards.js"
import { fetchNpmTarball, isPresent, parseSource } from "../../../files/sources.js"
import { findPrepared, TOTALS_FILE, type PreparedPart, type PreparedTotals } from "../prepared.js"
import { documentsOf, readSpeeches, splitSpeeches } from "./speeches.js"

export type SpeechCorpus = Speeches

/** One part of the corpus. */
export type SpeechPart = PreparedPart
export type SpeechTotals = PreparedTotals

export interface SpeechPlace {
  /** The tarball, shared by all variants. */
  readonly tarball: string
  /** Folder of shards made from exactly these inputs. */
  readonly folder: string
  readonly inputs: Readonly<Record<string, string | number>>
}

/** Raise when shards made from equal inputs would differ. */
const RECIPE = 1

/** Where this variant of the corpus lies; nothing is read. */
export const placeSpeeches = (
  corpus: SpeechCorpus,
  tokenizer: { readonly digest: string; readonly boundaryId: number },
  cacheDir: string,
): SpeechPlace => {
  const { sha256, trainShards, sentencesPerDocument, holdOutEvery } = corpus
  const inputs = {
    recipe: RECIPE,
    tarball: sha256,
    tokenizer: tokenizer.digest,
    boundaryId: tokenizer.boundaryId,
    trainShards,
    sentencesPerDocument,
    holdOutEvery,
  }
  const key = bytesDigest(JSON.stringify(inputs)).slice(0, 16)
  return {
    tarball: join(cacheDir, "npm", `${sha256}.tgz`),
    folder: join(cacheDir, "speeches", key),
    inputs,
  }
}

const tokenise = (documents: readonly string[], encoder: Encoder, boundaryId: number): Uint16Array => {
  const ids: number[] = []
  for (const document of documents) {
    ids.push(boundaryId)
    const own = encoder.encode(document)
    for (let i = 0; i < own.length; i++) ids.push(own[i]!)
  }
  return Uint16Array.from(ids)
}

/**
 * Make the shards of this corpus, or find them made. The tarball is fetched when it is not in the cache.
 * @throws DataError as `download` does, and when the tarball or the tokenizer does not fit.
 */
export const prepareSpeeches = async (
  corpus: SpeechCorpus,
  model: SentencePieceModel,
  options: {
    readonly cacheDir: string
    readonly boundaryId: number
    readonly onEvent?: OnPrepareEvent
    readonly registry?: string
  },
): Promise<{ folder: string; totals: SpeechTotals }> => {
  const { cacheDir, boundaryId, onEvent, registry } = options
  const place = placeSpeeches(corpus, { digest: model.digest, boundaryId }, cacheDir)
  const found = await findPrepared(place)
  if (found !== undefined) {
    onEvent?.({ kind: "reused", path: place.folder })
    return { folder: place.folder, totals: found }
  }
  if (model.pieces.length > 0xffff) {
    throw new DataError(
      "refused",
      "tokenizer",
      "its ids do not fit the 16 bits of the shard format; use a smaller one.",
    )
  }
  const encoder = encoderOf(model)
  if (await isPresent(place.tarball, corpus.sha256)) {
    onEvent?.({ kind: "reused", path: place.tarball })
  } else {
    const source = parseSource(corpus.source)
    if (source.kind !== "npm") {
      throw new DataError(
        "invalid",
        corpus.source,
        "speeches come from npm; write npm:NAME@VERSION in data.corpus.source.",
      )
    }
    await fetchNpmTarball(source, place.tarball, {
      sha256: corpus.sha256,
      ...(onEvent === undefined ? {} : { onEvent }),
      ...(registry === undefined ? {} : { registry }),
    })
  }
  const split = splitSpeeches(readSpeeches(await readFile(place.tarball), place.tarball), corpus.holdOutEvery)

  const write = async (speeches: typeof split.train, name: string, count: number): Promise<SpeechPart> => {
    const documents = documentsOf(speeches, corpus.sentencesPerDocument)
    const tokens = tokenise(documents, encoder, boundaryId)
    const cut = (i: number): number => Math.floor((i * tokens.length) / count)
    const shards: { file: string; tokens: number; sha256: string }[] = []
    for (let i = 0; i < count; i++) {
      const part = tokens.subarray(cut(i), cut(i + 1))
      if (part.length === 0) {
        throw new DataError(
          "invalid",
          corpus.source,
          `${tokens.length} tokens do not fill ${count} shards; lower data.corpus.trainShards or holdOutEvery.`,
        )
      }
      const file = `speeches_${name}_${String(i).padStart(6, "0")}.bin`
      const path = join(place.folder, file)
      await writeShard(path, part)
      onEvent?.({ kind: "written", path, tokens: part.length })
      shards.push({ file, tokens: part.length, sha256: bytesDigest(await readFile(path)) })
    }
    const bytes = documents.reduce((sum, document) => sum + Buffer.byteLength(document), 0)
    return { documents: documents.length, tokens: tokens.length, bytes, shards }
  }

  const totals: SpeechTotals = {
    inputs: place.inputs,
    train: await write(split.train, "train", corpus.trainShards),
    validation: await write(split.validation, "val", 1),
  }
  await writeFileAtomic(join(place.folder, TOTALS_FILE), `${JSON.stringify(totals, undefined, 2)}\n`)
  return { folder: place.folder, totals }
}
