/**
 * The one registration of corpora: what a spec may name, and who answers for it. How each is prepared and read stands
 * in `stores.ts`, keyed by the same kinds; types hold the two together.
 */
import * as Schema from "effect/Schema"
import { files } from "./files/corpus.js"
import { generated } from "./generated/corpus.js"
import { parameterGolf } from "./parameter-golf/corpus.js"
import type { CorpusPart, Kind } from "./part.js"
import { pairs } from "./pairs/corpus.js"
import { speeches } from "./speeches/corpus.js"
import { text } from "./text/corpus.js"

export const CORPORA = [parameterGolf, speeches, files, generated, pairs, text] as const

type SpecOf<P> = P extends { readonly schema: Schema.Codec<infer A> } ? A : never

/** A corpus of some registered kind, as a spec holds it. */
export type Corpus = SpecOf<(typeof CORPORA)[number]>
/** The corpus of one kind. */
export type CorpusOf<K extends Corpus["kind"]> = Extract<Corpus, { readonly kind: K }>

/** Schema of every registered corpus. */
export const Corpus = Schema.Union(CORPORA.map(({ schema }) => schema as Schema.Codec<Corpus>)).annotate({
  description: "Where the tokens come from.",
})

export const corpusKinds: readonly string[] = CORPORA.map(({ kind }) => kind)

/** The part that answers for a corpus. */
export const corpusPart = ({ kind }: Kind): CorpusPart => {
  const part = (CORPORA as readonly CorpusPart[]).find((each) => each.kind === kind)
  if (part === undefined)
    throw new Error(
      `no corpus of the kind ${JSON.stringify(kind)} is registered; there are ${corpusKinds.join(", ")}`,
    )
  return part
}
