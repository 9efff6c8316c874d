/** The stores of all kinds of corpora; the types ask for each registered kind. */
import { datasetStore } from "./dataset/store.js"
import { filesStore } from "./files/store.js"
import { generatedStore } from "./generated/store.js"
import { registerCorpusPart, type Corpus, type CorpusOf } from "./index.js"
import { mixtureStore } from "./mixture/store.js"
import { parameterGolfStore } from "./parameter-golf/store.js"
import { pairsStore } from "./pairs/store.js"
import type { CorpusPart, Kind } from "./part.js"
import { speechesStore } from "./speeches/store.js"
import type { CorpusStore } from "./store.js"
import { textStore } from "./text/store.js"

const STORES: { readonly [K in Corpus["kind"]]: CorpusStore<CorpusOf<K>> } = {
  "parameter-golf": parameterGolfStore,
  speeches: speechesStore,
  files: filesStore,
  generated: generatedStore,
  pairs: pairsStore,
  dataset: datasetStore,
  mixture: mixtureStore,
  text: textStore,
}

const stores = new Map<string, CorpusStore<Corpus>>(
  Object.entries(STORES as unknown as Record<string, CorpusStore<Corpus>>),
)

/** Adds a corpus for the rest of the process; returns what takes it away again. */
export const registerCorpus = <C extends Kind>(part: CorpusPart<C>, store: CorpusStore<C>): (() => void) => {
  const remove = registerCorpusPart(part as unknown as CorpusPart)
  stores.set(part.kind, store as unknown as CorpusStore<Corpus>)
  return () => {
    remove()
    stores.delete(part.kind)
  }
}

/** The store that answers for a corpus. */
export const corpusStore = ({ kind }: Pick<Corpus, "kind">): CorpusStore<Corpus> => stores.get(kind)!
