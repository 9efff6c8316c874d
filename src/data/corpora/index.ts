/**
 * The one registration of corpora: what a spec may name, and who answers for it. How each is prepared and read stands
 * in `stores.ts`, keyed by the same kinds; types hold the two together.
 */
import * as Schema from "effect/Schema"
import { dataset } from "./dataset/corpus.js"
import { files } from "./files/corpus.js"
import { generated } from "./generated/corpus.js"
import { mixture } from "./mixture/corpus.js"
import { parameterGolf } from "./parameter-golf/corpus.js"
import type { CorpusPart, Kind } from "./part.js"
import { pairs } from "./pairs/corpus.js"
import { registrationChanged } from "../../spec/registration.js"
import { speeches } from "./speeches/corpus.js"
import { text } from "./text/corpus.js"

export const CORPORA = [parameterGolf, speeches, files, generated, pairs, dataset, mixture, text] as const

type SpecOf<P> = P extends { readonly schema: Schema.Codec<infer A> } ? A : never

/** A corpus of some registered kind, as a spec holds it. */
export type Corpus = SpecOf<(typeof CORPORA)[number]>
/** The corpus of one kind. */
export type CorpusOf<K extends Corpus["kind"]> = Extract<Corpus, { readonly kind: K }>

let corpora: readonly CorpusPart[] = CORPORA

/**
 * Adds a corpus for the rest of the process, as if it stood in the list above; see `registerCorpus` in `stores.ts` for
 * one that is also read.
 *
 * @returns what takes it away again
 * @throws Error where its kind is taken
 */
export const registerCorpusPart = (part: CorpusPart): (() => void) => {
  if (corpusKinds().includes(part.kind)) throw new Error(`the corpus kind "${part.kind}" is taken`)
  corpora = [...corpora, part]
  registrationChanged()
  return () => {
    corpora = corpora.filter((each) => each !== part)
    registrationChanged()
  }
}

/** Schema of every registered corpus. */
export const corpusUnion = (): Schema.Codec<Corpus> =>
  Schema.Union(corpora.map(({ schema }) => schema)).annotate({
    description: "Where the tokens come from.",
  }) as unknown as Schema.Codec<Corpus>

export const corpusKinds = (): readonly string[] => corpora.map(({ kind }) => kind)

/** The part that answers for a corpus. */
export const corpusPart = ({ kind }: Kind): CorpusPart => {
  const part = corpora.find((each) => each.kind === kind)
  if (part === undefined)
    throw new Error(
      `no corpus of the kind ${JSON.stringify(kind)} is registered; there are ${corpusKinds().join(", ")}`,
    )
  return part
}
