/** Shards that were made here from named inputs, with what their making found; whole or not there. */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { bytesDigest } from "../../files/digest.js"
import type { Located } from "./store.js"

/** One part of a prepared corpus. */
export interface PreparedPart {
  readonly documents: number
  /** Tokens, those of boundaries included. */
  readonly tokens: number
  /** UTF-8 bytes of the documents' text, which the token's bytes add up to. */
  readonly bytes: number
  readonly shards: readonly { readonly file: string; readonly tokens: number; readonly sha256: string }[]
}

/** What `corpus.json` beside the shards says; written last, so its presence means the shards are whole. */
export interface PreparedTotals {
  readonly inputs: Readonly<Record<string, unknown>>
  readonly train: PreparedPart
  readonly validation: PreparedPart
}

export const TOTALS_FILE = "corpus.json"

/** The totals of a prepared corpus whose shards are all there with their digests; undefined otherwise. */
export const findPrepared = async (place: {
  readonly folder: string
  readonly inputs: Readonly<Record<string, unknown>>
}): Promise<PreparedTotals | undefined> => {
  let totals: PreparedTotals
  try {
    totals = JSON.parse(await readFile(join(place.folder, TOTALS_FILE), "utf8")) as PreparedTotals
    if (JSON.stringify(totals.inputs) !== JSON.stringify(place.inputs)) return undefined
    for (const { file, sha256 } of [...totals.train.shards, ...totals.validation.shards]) {
      if (bytesDigest(await readFile(join(place.folder, file))) !== sha256) return undefined
    }
  } catch {
    return undefined
  }
  return totals
}

interface PlacedPart {
  readonly folder: string
  readonly part: PreparedPart
}

const pathsOf = ({ folder, part }: PlacedPart): readonly string[] =>
  part.shards.map(({ file }) => join(folder, file))

/** Parts that were prepared, each in its folder, with what is known of their text. */
export const locateParts = (train: PlacedPart, validation: PlacedPart): Located => ({
  train: pathsOf(train),
  validation: pathsOf(validation),
  known: {
    train: { documents: train.part.documents, bytes: train.part.bytes },
    validation: { documents: validation.part.documents, bytes: validation.part.bytes },
  },
})

/** The shards of a prepared corpus, with what is known of their text. */
export const locatePrepared = (folder: string, { train, validation }: PreparedTotals): Located =>
  locateParts({ folder, part: train }, { folder, part: validation })
