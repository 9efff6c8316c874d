/** How a kind of corpus is prepared and found on disk; its side of `part.ts` that reads files. */
import type { Data } from "../../spec/data.js"
import type { OnPrepareEvent } from "../../files/events.js"
import type { RowOptions } from "../rows/row-source.js"
import type { TrainingRows } from "../rows/training-rows.js"
import type { SentencePieceModel } from "../tokenizers/sentencepiece.js"
import type { Kind } from "./part.js"

export interface CorpusOptions {
  /** See `cacheDirectory`. */
  readonly cacheDir: string
  /** Relative file: paths are taken from here; the current folder when absent. */
  readonly base?: string
}

export interface PrepareOptions extends CorpusOptions {
  readonly onEvent?: OnPrepareEvent
  readonly signal?: AbortSignal
  /** npm registry instead of the user's own. */
  readonly registry?: string
  /** Threads that tokenise; as many as the machine has processors when absent. What they write is the same. */
  readonly workers?: number
  /** Shards that are there are made again. */
  readonly rewrite?: boolean
}

/** What one source of several gave to a split. */
export interface SourceCount {
  readonly rows: number
  readonly documents: number
  readonly tokens: number
  readonly bytes: number
}

export interface PartTotals {
  readonly tokens: number
  /** Where known. */
  readonly documents?: number
  /** UTF-8 bytes of the documents' text, where known: the check for the byte table's sum. */
  readonly bytes?: number
  /** By name, of a corpus that mixes several. */
  readonly sources?: Readonly<Record<string, SourceCount>>
}

export const SPLITS = ["train", "validation"] as const
export type SplitName = (typeof SPLITS)[number]

/** A corpus of one kind with the tokenizer that the spec gives it. */
export interface StoreJob<C extends Kind> {
  readonly corpus: C
  readonly tokenizer: Data["tokenizer"]
  /** The tokenizer of the spec, checked. @throws DataError when it is not there or does not fit */
  readonly model: () => Promise<SentencePieceModel>
  /** Where it lies. */
  readonly tokenizerPath: () => Promise<string>
}

/** Shards as they lie, in the order of use. */
export interface Located {
  readonly train: readonly string[]
  readonly validation: readonly string[]
  /** Digests of files as they were when they were fetched, by path. */
  readonly recorded?: ReadonlyMap<string, string>
  /** What is known of the text. */
  readonly known?: Readonly<Record<SplitName, Omit<PartTotals, "tokens">>>
}

/** Looks at one thing; what it throws is noted as a problem of `path`. */
export type Look = (path: string, url: string | undefined, look: () => Promise<unknown>) => Promise<void>

export interface CheckTools {
  readonly look: Look
  /** Reads the tokenizer and compares it with the spec. */
  readonly tokenizer: (url: string | undefined) => Promise<void>
}

export interface CorpusStore<C extends Kind = Kind> {
  readonly kind: C["kind"]
  /** Corpora of the same place are written into the same folders, one after another; each has its own when absent. */
  place?(corpus: C): string
  /** Path of the tokenizer that it publishes; reads what says so. */
  tokenizer?(corpus: C, options: CorpusOptions): Promise<string>
  /** Fetches the tokenizer alone; absent where `prepare` makes it with everything else. */
  readonly fetchTokenizer?: (job: StoreJob<C>, options: PrepareOptions) => Promise<void>
  /** Fetches and writes whatever is lacking; it and `fetchTokenizer` alone may use the network. */
  prepare(job: StoreJob<C>, options: PrepareOptions): Promise<void>
  /** @throws DataError where the corpus is not prepared */
  locate(job: StoreJob<C>, options: CorpusOptions): Promise<Located>
  /** Looks at everything that `locate` and reading need, with a finding for each that is missing or wrong. */
  check(job: StoreJob<C>, options: CorpusOptions, tools: CheckTools): Promise<void>
  /** Folder of what predictions of the validation split are compared with, where its rows say so only by programs. */
  predictions?(corpus: C, options: CorpusOptions): string
  /** Opens the training rows of a corpus that keeps them in no shards; they are cut from its shards when absent. */
  open?(corpus: C, options: RowOptions): Promise<TrainingRows>
  /** The digest that the spec states for a shard, and where. */
  stated?(
    corpus: C,
    part: SplitName,
    index: number,
  ): { readonly where: string; readonly sha256: string } | undefined
}
