/** The embedded corpus on disk. */
import { DataError } from "../../../files/errors.js"
import { inspectShard } from "../../rows/shards.js"
import { findPrepared, locatePrepared } from "../prepared.js"
import type { CorpusOptions, CorpusStore, Located, StoreJob } from "../store.js"
import type { Speeches } from "./schema.js"
import { placeSpeeches, prepareSpeeches } from "./shards.js"

const locate = async (
  { corpus, tokenizer, model }: StoreJob<Speeches>,
  { cacheDir }: CorpusOptions,
): Promise<Located> => {
  const { digest } = await model()
  const place = placeSpeeches(corpus, { digest, boundaryId: tokenizer.boundaryId }, cacheDir)
  const totals = await findPrepared(place)
  if (totals === undefined)
    throw new DataError("missing", place.folder, "the speeches are not prepared; run `repro prepare` first.")
  return locatePrepared(place.folder, totals)
}

export const speechesStore: CorpusStore<Speeches> = {
  kind: "speeches",
  prepare: async ({ corpus, tokenizer, model }, options) =>
    void (await prepareSpeeches(corpus, await model(), { ...options, boundaryId: tokenizer.boundaryId })),
  locate,
  check: async (job, options, { look }) =>
    look(job.tokenizer.model, job.corpus.source, async () => {
      const { train, validation } = await locate(job, options)
      for (const path of [...validation, ...train]) await inspectShard(path)
    }),
}
