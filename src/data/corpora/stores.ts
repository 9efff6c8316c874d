/** The stores of all kinds of corpora; the types ask for each registered kind. */
import { filesStore } from "./files/store.js"
import { generatedStore } from "./generated/store.js"
import type { Corpus, CorpusOf } from "./index.js"
import { parameterGolfStore } from "./parameter-golf/store.js"
import { pairsStore } from "./pairs/store.js"
import { speechesStore } from "./speeches/store.js"
import type { CorpusStore } from "./store.js"
import { textStore } from "./text/store.js"

const STORES: { readonly [K in Corpus["kind"]]: CorpusStore<CorpusOf<K>> } = {
  "parameter-golf": parameterGolfStore,
  speeches: speechesStore,
  files: filesStore,
  generated: generatedStore,
  pairs: pairsStore,
  text: textStore,
}

/** The store that answers for a corpus. */
export const corpusStore = ({ kind }: Pick<Corpus, "kind">): CorpusStore<Corpus> =>
  STORES[kind] as CorpusStore<Corpus>
