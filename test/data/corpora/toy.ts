/** A corpus that stands in this file alone: it keeps no shards and counts through ids that two bytes cannot hold. */
import * as Schema from "effect/Schema"
import type { CorpusPart } from "../../../src/data/corpora/part.js"
import type { CorpusStore } from "../../../src/data/corpora/store.js"
import { Count, Natural } from "../../../src/spec/common.js"

const Counting = Schema.Struct({ kind: Schema.Literal("counting"), from: Natural, groups: Count })
type Counting = typeof Counting.Type

export const countingPart: CorpusPart<Counting> = {
  kind: "counting",
  schema: Counting,
  rules: [],
  identity: (corpus) => corpus,
  dataset: ({ from }) => `counting from ${from}`,
  visits: ({ groups }) => ({ shards: 1, groups }),
  files: () => [],
  tokenizer: () => undefined,
  from: () => "nowhere",
  unstated: () => [],
  digestsIdentify: false,
  withContent: (corpus) => corpus,
  strayDigests: () => [],
}

export const countingStore: CorpusStore<Counting> = {
  kind: "counting",
  prepare: async () => undefined,
  locate: async () => ({ train: [], validation: [] }),
  check: async () => undefined,
  // Row r of step s counts on from `from` + 100 s + r.
  open: async ({ from, groups }, { batching: { length } }) => ({
    groups,
    rows: async (step, count) => ({
      length,
      tokens: Int32Array.from(
        { length: count * length },
        (_, i) => from + 100 * step + Math.floor(i / length) + (i % length),
      ),
    }),
    close: async () => undefined,
  }),
}
