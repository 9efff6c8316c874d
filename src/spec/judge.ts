/** A judge of generated texts: a causal network of another spec, named by an evaluation. */
import * as Schema from "effect/Schema"
import { Fingerprint, Identifier } from "./common.js"

export const Judge = Schema.Struct({
  run: Identifier.annotate({
    description:
      "Name of a spec of a next-token network. One that trains is judged with as its finished run has it, and is run first where there is none; one of no steps is what its init says.",
  }),
  profile: Schema.optionalKey(Identifier).annotate({
    description: "Profile of that spec; the profile of this one when absent.",
  }),
  fingerprint: Schema.optionalKey(Fingerprint).annotate({
    description:
      "Fingerprint of that experiment. It is filled in when the spec is read; one that is stated is compared.",
  }),
  begin: Schema.optionalKey(Schema.Literals(["text", "boundary"])).annotate({
    description:
      "What the judge reads first. text, when absent and as published: the text's first token, which is then not scored. boundary: the token that opens its own documents, so that every token of a text is scored.",
  }),
}).annotate({
  description:
    "Who says how probable the texts are. The texts are spelled anew by the judge's tokenizer and cut at its row. Absent: generative perplexity is not measured.",
})
export type Judge = typeof Judge.Type

/** The judge of an evaluation, whatever its kind; undefined where it has none. */
export const judgeIn = (evaluation: object): Judge | undefined =>
  "judge" in evaluation ? (evaluation.judge as Judge) : undefined

/** What of it decides the numbers. */
export const judgeIdentity = ({ run, fingerprint, begin }: Judge): unknown => ({
  ...(fingerprint === undefined ? { run } : { fingerprint }),
  ...(begin === undefined ? {} : { begin }),
})
