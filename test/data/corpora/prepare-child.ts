/** Prepares a corpus in a process of its own, which another ends in the middle; says what it wrote. */
import { prepareCorpus, type CorpusSpec } from "../../../src/data/corpora/corpus.js"

process.on("message", ({ spec, cacheDir }: { readonly spec: CorpusSpec; readonly cacheDir: string }) => {
  void prepareCorpus(spec, {
    cacheDir,
    workers: 2,
    onEvent: (event) => process.send!(event),
  }).then(() => process.exit(0))
})
