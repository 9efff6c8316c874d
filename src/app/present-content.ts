/** The content of an experiment's data, where they lie on this machine. */
import { checkCorpus, loadCorpus } from "../data/corpora/corpus.js"
import { digestsOf } from "../data/corpora/identity.js"
import { cacheDirectory } from "../files/sources.js"
import type { DataContent } from "../spec/content.js"
import type { Data } from "../spec/data.js"

/**
 * Digests of the files as they are; undefined when some are missing.
 * @throws DataMismatch when a file is not the one that the spec states
 */
export const presentContent = async (data: Data): Promise<DataContent | undefined> => {
  const options = { cacheDir: cacheDirectory() }
  const { ready, missing } = await checkCorpus(data, options)
  if (!ready && !missing.some(({ wrong }) => wrong)) return undefined
  return digestsOf(await loadCorpus(data, options))
}
