/** The published FineWeb shards on disk. */
import { DataError } from "../../../files/errors.js"
import { requireRecorded } from "../../../files/hub.js"
import { isPresent } from "../../../files/sources.js"
import { inspectShard } from "../../rows/shards.js"
import type { CorpusStore } from "../store.js"
import { findGolf, placeGolf, prepareGolf } from "./repository.js"
import type { ParameterGolf } from "./schema.js"

export const parameterGolfStore: CorpusStore<ParameterGolf> = {
  kind: "parameter-golf",
  tokenizer: async (corpus, { cacheDir }) => {
    const { tokenizer, recorded } = await findGolf(corpus, cacheDir)
    if (tokenizer !== undefined) {
      if (await isPresent(tokenizer)) await requireRecorded(tokenizer, recorded.get(tokenizer))
      return tokenizer
    }
    throw new DataError(
      "invalid",
      "data.tokenizer.model",
      `the manifest names no tokenizer for the data set "${corpus.dataset}"; write "embedded" or a file: path.`,
    )
  },
  prepare: async ({ corpus }, options) => void (await prepareGolf(corpus, options)),
  locate: ({ corpus }, { cacheDir }) => findGolf(corpus, cacheDir),
  check: async ({ corpus }, { cacheDir }, { look, tokenizer }) => {
    const place = placeGolf(corpus, cacheDir)
    const repository = place.url("", "").replace(/\/resolve\/.*$/, "")
    let files: Awaited<ReturnType<typeof findGolf>> | undefined
    await look(place.manifest, repository, async () => {
      files = await findGolf(corpus, cacheDir)
    })
    if (files === undefined) return
    await tokenizer(repository)
    for (const path of [...files.validation, ...files.train])
      await look(path, repository, () => inspectShard(path))
  },
}
