/** The JSON of several data sets of texts as one. */
import * as Schema from "effect/Schema"
import { Count, ShortIdentifier } from "../../../spec/common.js"
import { FileSource } from "../../../spec/source-syntax.js"
import { HELD_OUT, MostTokens, ROW_FIELDS } from "../dataset/schema.js"
import { WebSource } from "../pairs/schema.js"

const Part = Schema.Struct({
  name: ShortIdentifier.annotate({ description: "What plan, counts and contracts call it." }),
  ...ROW_FIELDS,
}).annotate({ description: "One data set of texts." })
export type MixturePart = typeof Part.Type

export const Mixture = Schema.Struct({
  kind: Schema.Literal("mixture"),
  sources: Schema.Array(Part).check(Schema.isMinLength(2)).annotate({
    description:
      "The data sets, one behind another. Each row is there once, so that their sizes are the proportions.",
  }),
  validation: Schema.Union(HELD_OUT).annotate({
    description:
      "Seed of the one order of all rows, and how many of its first are held out: the hub's concatenate_datasets, then train_test_split.",
  }),
  tokenizer: Schema.Union([FileSource, WebSource]).annotate({ description: "The tokenizer.json." }),
  mostTokens: MostTokens,
  trainShards: Count.annotate({
    description: "Shards that the shuffled training rows are cut into; each is so a sample of the mixture.",
  }),
}).annotate({
  description:
    "Several published data sets of texts, shuffled into one, such as OpenWebText and proof-pile-2; blank rows are no documents.",
})
export type Mixture = typeof Mixture.Type
