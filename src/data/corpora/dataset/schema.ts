/** The JSON of a data set of texts. */
import * as Schema from "effect/Schema"
import { Count, Natural, Proportion, Sha256 } from "../../../spec/common.js"
import { FileSource, HubSource } from "../../../spec/source-syntax.js"
import { WebSource } from "../pairs/schema.js"

const Files = Schema.NonEmptyArray(Schema.String)

/** Where rows are, and which field of them is the text. */
export const ROW_FIELDS = {
  source: Schema.Union([HubSource, FileSource]).annotate({
    description:
      "Where the rows are: hf:OWNER/REPOSITORY, or file:PATH of a file, a folder or a pattern. Parquet, or JSON lines, plain, gzip or zstd.",
  }),
  revision: Schema.optionalKey(Schema.String).annotate({
    description: "Branch, tag or commit of a hub repository; main when absent.",
  }),
  files: Schema.optionalKey(Files).annotate({
    description:
      "Files of a hub repository with training rows, in their order; * stands for any part of a name. All its files with rows when absent.",
  }),
  sha256: Schema.optionalKey(Schema.Record(Schema.String, Sha256)).annotate({
    description: "Digest of each file, by its name in the repository, or by its name without its folder.",
  }),
  field: Schema.String.annotate({ description: "Column, or field, that holds the text of a row." }),
  detokenise: Schema.optionalKey(Schema.Literal("wikitext")).annotate({
    description:
      "wikitext: blanks that WikiText puts around marks are taken out; texts as they are when absent.",
  }),
} as const
const Rows = Schema.Struct(ROW_FIELDS)
export type Rows = typeof Rows.Type

/** What the hub's train_test_split is told. */
export const HELD_OUT = [
  Schema.Struct({
    share: Proportion.annotate({ description: "Share of the rows that is held out, rounded up." }),
    seed: Natural.annotate({ description: "Seed of the permutation that chooses them." }),
  }),
  Schema.Struct({
    count: Count.annotate({ description: "Rows that are held out." }),
    seed: Natural.annotate({ description: "Seed of the permutation that chooses them." }),
  }),
] as const

export const MostTokens = Schema.optionalKey(Count).annotate({
  description: "Documents of more tokens are left out; none when absent.",
})

export const Dataset = Schema.Struct({
  kind: Schema.Literal("dataset"),
  ...ROW_FIELDS,
  validation: Schema.Union([
    ...HELD_OUT,
    Schema.Struct({
      files: Files.annotate({
        description: "Files with validation rows: of the hub repository, or file:PATH where the source is.",
      }),
    }),
  ]).annotate({
    description:
      "The validation split: what the hub's train_test_split holds out of the rows, or files of its own.",
  }),
  tokenizer: Schema.Union([FileSource, WebSource]).annotate({ description: "The tokenizer.json." }),
  mostTokens: MostTokens,
  trainShards: Count.annotate({ description: "Shards that the training rows are cut into, in their order." }),
}).annotate({
  description:
    "A published data set of texts, such as OpenWebText: each row a document, tokenised by a tokenizer.json; blank rows are no documents.",
})
export type Dataset = typeof Dataset.Type
