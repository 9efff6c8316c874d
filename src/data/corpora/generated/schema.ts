/** The JSON of data that are drawn from named streams. */
import * as Schema from "effect/Schema"
import { Count, Natural } from "../../../spec/common.js"
import { GENERATED_KINDS, type GeneratedTask } from "./sources.js"

/** Assembled from the kinds. */
const Task = Schema.Union(GENERATED_KINDS.map(({ schema }) => schema)).annotate({
  description: "What is generated.",
}) as unknown as Schema.Codec<GeneratedTask>

export const Generated = Schema.Struct({
  kind: Schema.Literal("generated"),
  task: Task,
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
