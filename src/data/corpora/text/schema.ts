/** The JSON of text of one's own. */
import * as Schema from "effect/Schema"
import { Count } from "../../../spec/common.js"
import { FileSource } from "../../../spec/source-syntax.js"

const Sources = Schema.NonEmptyArray(FileSource)

export const Text = Schema.Struct({
  kind: Schema.Literal("text"),
  train: Sources.annotate({
    description:
      "Text files of the training split: file: paths, in which * stands for part of a name and ** for any folders, or folders, whose files are all taken. Plain text or JSON Lines, as they are or compressed with gzip or zstd.",
  }),
  validation: Schema.Union([
    Sources,
    Schema.Struct({
      holdOutEvery: Count.check(Schema.isGreaterThan(1)).annotate({
        description: "One of so many consecutive documents, the middle one, is held out.",
      }),
    }),
  ]).annotate({
    description: "Files of the validation split, or how much of the training files is held out.",
  }),
  document: Schema.Literals(["file", "line", "paragraph"]).annotate({
    description:
      "What a document is. file: a whole file. line: each line that is not blank; in JSON Lines each record's text. paragraph: text between blank lines.",
  }),
  field: Schema.optionalKey(Schema.String).annotate({
    description:
      "The files are JSON Lines, and this field of each record holds its text. Files called .jsonl or .ndjson are so without it, with the field text.",
  }),
  trainShards: Schema.optionalKey(Count).annotate({
    description: "Number of training shards that are written, of equal size; 1 when absent.",
  }),
}).annotate({
  description: "Text of one's own, tokenised here; each document is preceded by one boundary token.",
})
export type Text = typeof Text.Type
