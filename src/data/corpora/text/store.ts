/** Text of one's own on disk. */
import { DataError } from "../../../files/errors.js"
import { inspectShard } from "../../rows/shards.js"
import { findPrepared, locatePrepared } from "../prepared.js"
import type { CorpusOptions, CorpusStore, Located, StoreJob } from "../store.js"
import type { Text } from "./schema.js"
import { placeText, prepareText } from "./shards.js"

const locate = async (job: StoreJob<Text>, options: CorpusOptions): Promise<Located> => {
  const { folder, inputs } = await placeText(job, options)
  const totals = await findPrepared({ folder, inputs })
  if (totals === undefined)
    throw new DataError("missing", folder, "the text is not tokenised; run `repro tokenize SPEC` first.")
  return locatePrepared(folder, totals)
}

export const textStore: CorpusStore<Text> = {
  kind: "text",
  prepare: async (job, options) => void (await prepareText(job, options)),
  locate,
  check: async (job, options, { look }) =>
    look("text", "the spec's text files", async () => {
      const { train, validation } = await locate(job, options)
      for (const path of [...validation, ...train]) await inspectShard(path)
    }),
}
