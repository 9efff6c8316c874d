/** The JSON of data that are drawn from named streams. */
import * as Schema from "effect/Schema"
import { Count, Natural } from "../../../spec/common.js"

const Brackets = Schema.Struct({
  kind: Schema.Literal("brackets"),
  words: Schema.Literals(["opening", "balanced"]).annotate({
    description:
      "opening: opening brackets alone, as the published generator writes. balanced: uniform balanced words of a length.",
  }),
}).annotate({ description: "Bracket strings, without prompts." })

const Star = Schema.Struct({
  kind: Schema.Literal("star"),
  level: Schema.Literals(["easy", "medium", "hard"]).annotate({
    description: "Shape and size of the graphs, as in star-small, star-medium and star-hard.",
  }),
}).annotate({ description: "Star graphs: the path from a source to a goal, given the edges." })

const WordProblems = Schema.Struct({
  kind: Schema.Literal("word-problems"),
}).annotate({ description: "Word problems in the form of TinyGSM: a program, given a question." })

const Primer = Schema.Struct({
  kind: Schema.Literal("primer"),
  part: Schema.Literals(["text", "math", "code"]).annotate({
    description:
      "text: sums and functions without prompts, to be pretrained on. math: a question, and its answer as reasoning and a box. code: what a function does, and its body.",
  }),
}).annotate({ description: "A small language for chains of stages; all of its parts have one tokenizer." })

export const Generated = Schema.Struct({
  kind: Schema.Literal("generated"),
  task: Schema.Union([Brackets, Star, WordProblems, Primer]).annotate({ description: "What is generated." }),
  seed: Natural.annotate({ description: "Seed of the items; apart from the seed of training." }),
  trainItems: Count.annotate({ description: "Items of the training split." }),
  validationItems: Count.annotate({ description: "Items of the validation split." }),
  validation: Schema.optionalKey(Schema.Literal("train")).annotate({
    description: "train: the validation split repeats the first training items, so that overfitting can be watched.",
  }),
}).annotate({
  description:
    "Items drawn from streams: item k of a split depends on the seed, the split and k alone. Their tokenizer is the corpus's own.",
})
export type Generated = typeof Generated.Type
