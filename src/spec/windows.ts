/** What evaluations of windows share in a spec. */
import * as Schema from "effect/Schema"
import { Count, Identifier, Natural } from "./common.js"

export const EvaluationId = Identifier.annotate({
  description: "Name of the evaluation in tables and file names.",
})
export const Seed = Natural.annotate({ description: "Seed of the eval-mask stream." })
export const Tail = Schema.Literals(["A", "B", "C"]).annotate({
  description: "Rule for the last windows; C scores each target exactly once.",
})

export const Windows = Schema.Struct({
  length: Count.annotate({ description: "Tokens in one window." }),
  count: Count.annotate({ description: "Windows at most; fewer when the split is shorter." }),
  alignment: Schema.Literals(["raw-stream", "document-chunks", "documents"]).annotate({
    description:
      "raw-stream: windows i*length of the validation stream. document-chunks: documents cut as in training. documents: rows as batching of kind documents makes them, whose prompts are given and never scored; where they end adds to no denominator.",
  }),
}).annotate({ identifier: "Windows", description: "Which tokens are scored, and in what pieces." })
export type Windows = typeof Windows.Type

/** What windows are called: "windows of 64 tokens". */
export const windowWords = (alignment: Windows["alignment"], length: number): string =>
  ({
    "raw-stream": `windows of ${length} tokens`,
    "document-chunks": `document chunks of at most ${length} tokens`,
    documents: `documents in rows of at most ${length} tokens`,
  })[alignment]

/** The windows of an evaluation; undefined of one that scores none, such as samples. */
export const windowsIn = (evaluation: object): Windows | undefined =>
  "windows" in evaluation ? (evaluation.windows as Windows) : undefined

/** What a rule for cutting windows can never score, however many windows are asked for. */
export interface LeftOut {
  readonly tokens: number
  /** Documents left out whole, and documents in the split; absent for windows of the raw stream. */
  readonly documents?: number
  readonly ofDocuments?: number
}
