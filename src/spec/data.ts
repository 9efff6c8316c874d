/** Schemas of the data an experiment trains and evaluates on. */
import * as Schema from "effect/Schema"
import { corpusUnion, type Corpus } from "../data/corpora/index.js"
import { Count, Identifier, Natural, Sha256 } from "./common.js"
import { perRegistration } from "./registration.js"
import { FileSource } from "./source-syntax.js"

export type { Corpus }

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
  separatorId: Schema.optionalKey(Natural).annotate({
    description:
      "Token between prompt and target of a document, a control piece; documents have no prompt when absent.",
  }),
  maskId: Natural.annotate({
    description: "Id of the absorbing MASK state; outside the tokenizer's vocabulary.",
  }),
  padId: Natural.annotate({ description: "Id of structural padding; outside the tokenizer's vocabulary." }),
}).annotate({ description: "Tokenizer and the special ids the model adds to it." })
export type Tokenizer = typeof Tokenizer.Type

/** A text, spelled by the tokenizer when rows are made, or the ids themselves. */
const Mark = Schema.Union([Schema.String, Schema.Array(Natural)])

const Infill = Schema.Union([
  Schema.Struct({
    form: Schema.Literal("in-place").annotate({
      description:
        "prefix, boundary, middle, boundary, suffix, as FlexMDM is tuned; a middle and a suffix of one token at least.",
    }),
    boundary: Mark.annotate({ description: "Marks both ends of the gap: a text, or token ids." }),
  }),
  Schema.Struct({
    form: Schema.Literal("middle-last").annotate({
      description:
        "instruction, marked prefix, marked suffix, then the middle, as LLaDA is tuned; the suffix may be empty.",
    }),
    instruction: Mark.annotate({ description: "Stands before everything: a text, or token ids." }),
    prefix: Schema.Tuple([Mark, Mark]).annotate({ description: "Around the text before the gap." }),
    suffix: Schema.Tuple([Mark, Mark]).annotate({ description: "Around the text behind the gap." }),
  }),
]).annotate({
  description:
    "Each row is cut anew whenever it is drawn: a part of its target is free, and everything else is given. The prompt is never cut, and the separator is dropped.",
})

export const Batching = Schema.Struct({
  kind: Schema.Literals(["document-chunks", "random-windows", "sequential-windows", "documents"]).annotate({
    description:
      "document-chunks: documents cut into pieces of at most `length`, filled with PAD, drawn uniformly with replacement. random-windows: windows of the token stream at uniform offsets. sequential-windows: consecutive windows, each once. documents: whole documents, each as long as it is, drawn uniformly with replacement; longer ones are cut at `delimiter`, or at their prompt's end where they have one.",
  }),
  length: Count.annotate({ description: "Sequence length in tokens." }),
  shardsInMemory: Count.annotate({ description: "Shards in one rotation group." }),
  rotation: Schema.Boolean.annotate({
    description: "Visit every group of shards in turn; false trains on the first group only.",
  }),
  end: Schema.optionalKey(Schema.Literals(["none", "anchor"])).annotate({
    description:
      "Of rows that are documents. anchor: each ends with the boundary token, given and never noised. none, when absent.",
  }),
  separator: Schema.optionalKey(Schema.Literals(["kept", "dropped"])).annotate({
    description:
      "Of rows that are documents with a prompt. kept, when absent: the separator stays, given with the prompt.",
  }),
  delimiter: Schema.optionalKey(Schema.Union([Schema.Array(Natural), Schema.NonEmptyString])).annotate({
    description:
      "Of rows that are documents: where a longer one is cut in two, closest to its middle, again and again: token ids, or a text, which is the ids that the tokenizer spells it with. Without one it is cut into pieces of a row.",
  }),
  infill: Schema.optionalKey(Infill).annotate({
    description: "Of rows that are documents: rows with a gap; none when absent.",
  }),
}).annotate({ description: "How training sequences are drawn from the shards." })
export type Infill = typeof Infill.Type
export type Batching = typeof Batching.Type

/** The schema over the corpora that are registered now. */
export const dataSchema = perRegistration(() =>
  Schema.Struct({ corpus: corpusUnion(), tokenizer: Tokenizer, batching: Batching }).annotate({
    description: "The data that an experiment trains and evaluates on.",
  }),
)
export const Data = dataSchema()
export type Data = typeof Data.Type
