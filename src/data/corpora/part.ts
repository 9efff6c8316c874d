/**
 * What a corpus is to the spec and the plan: its JSON, what of it is identity, the files that it needs. Nothing here
 * reads a file; what does stands in `store.ts`, keyed by the same kinds.
 */
import type * as Schema from "effect/Schema"
import type { DataContent } from "../../spec/content.js"
import type { Problem } from "../../spec/spec-error.js"

/** A corpus as a spec holds it. */
export interface Kind {
  readonly kind: string
}

/** A file that a run reads or writes. */
export interface PlannedFile {
  readonly path: string
  readonly about: string
  /** Bytes, where they are known beforehand. */
  readonly bytes: number | null
}

/** What the rules of a corpus may read of an experiment's data. */
export interface DataSubject<C extends Kind = Kind> {
  readonly corpus: C
  readonly tokenizer: {
    readonly model: string
    readonly vocabSize: number
    readonly boundaryId: number
    readonly separatorId?: number
    readonly maskId: number
    readonly padId: number
  }
  readonly batching: { readonly kind: string; readonly length: number }
}

/** What of a spec's batching says how training visits a corpus. */
export interface Visiting {
  readonly shardsInMemory: number
  readonly rotation: boolean
}

export interface Visits {
  /** Shards of the training split; 1 for a corpus that has none. */
  readonly shards: number
  /** Parts that are visited one after another, `training.stepsPerGroup` steps each. */
  readonly groups: number
}

/** Ids that the published shards hold, two bytes each. */
export const SHARD_IDS = 2 ** 16

/** Shards visited in groups: every group in turn, or the first alone. */
export const inGroups = (shards: number, { rotation, shardsInMemory }: Visiting): Visits => ({
  shards,
  groups: rotation ? Math.ceil(shards / shardsInMemory) : 1,
})

export interface CorpusPart<C extends Kind = Kind> {
  readonly kind: C["kind"]
  readonly schema: Schema.Codec<C>
  readonly rules: readonly {
    // A method: the rules of one kind are only ever given that kind.
    judge(subject: DataSubject<C>): Problem | false
  }["judge"][]
  /** What enters the fingerprint: no place where something lies, only what it is. */
  identity(corpus: C): unknown
  /** What contracts call it, planned or measured. */
  dataset(corpus: C): string
  /** How training visits it. */
  visits(corpus: C, batching: Visiting): Visits
  /** Bytes that the groups in memory take, where they are large. */
  memory?(corpus: C, batching: Visiting): number
  /** Ids from this one on do not fit shards that are made with the tokenizer; any do when absent or undefined. */
  idLimit?(tokenizer: { readonly model: string }): number | undefined
  /** Tokens of the whole validation split, where they are published. */
  validationTokens?(corpus: C): number | undefined
  /** -ln of the probability of a document's target given its prompt, where the corpus is drawn from a known law. */
  sourceNats?(corpus: C, target: readonly number[]): number | undefined
  /** The files of the corpus alone, without a tokenizer that it does not publish. */
  files(corpus: C): readonly PlannedFile[]
  /** Where the tokenizer lies that it publishes, for people; undefined: it publishes none. */
  tokenizer(corpus: C): string | undefined
  /** The pieces of its tokenizer are codes, no text as they stand, so that no byte table can be made of them. */
  readonly codedPieces?: true
  /** Where `prepare` gets it, for people. */
  from(corpus: C): string
  /** Files whose content the spec does not fix: whether they are those of another run, only their digests tell. */
  unstated(corpus: C): readonly string[]
  /** Its name does not fix its content, so the digests of its files are part of a run's fingerprint. */
  readonly digestsIdentify: boolean
  /** The corpus with the digests that the spec leaves out. */
  withContent(corpus: C, content: DataContent): C
  /** Paths that have a stated digest but are no shards: such a digest is compared with nothing. */
  strayDigests(corpus: C): readonly string[]
}
