/** Samples as an evaluation: the JSON of a spec. */
import * as Schema from "effect/Schema"
import { Count, formed, Identifier, Natural, Sha256 } from "../../spec/common.js"
import { Judge } from "../../spec/judge.js"
import { Sampling } from "../../spec/sampling.js"
import { FileSource } from "../../spec/source-syntax.js"
import { EvaluationId } from "../../spec/windows.js"

const HubFile = formed(
  /^hf:[A-Za-z0-9._-]+\/[A-Za-z0-9._-]+@[^/\s]+\/\S+$/,
  "hf:OWNER/REPOSITORY@REVISION/PATH.jsonl",
  { prefix: "hf:" },
)
const WebFile = formed(/^https?:\/\/\S+$/, "https://...", { prefix: "https:" })

const TestSetOfSpec = Schema.Struct({
  source: Schema.Union([HubFile, WebFile, FileSource]).annotate({
    description:
      "Where it is: hf:OWNER/REPOSITORY@REVISION/PATH, https://... or file:PATH. Paths are no part of a fingerprint; the digest is.",
  }),
  sha256: Sha256.annotate({ description: "Digest of the file, which says what set it is." }),
  template: Schema.optionalKey(formed(/\{prompt\}/, 'a text with "{prompt}" in it')).annotate({
    description:
      "Text of a prompt, such as that of a chat, where {prompt} stands for the one that the task gives the item; that one alone when absent.",
  }),
}).annotate({ description: "A file of the task's items: text k answers the prompt of its k-th item." })

export const Samples = Schema.Struct({
  kind: Schema.Literal("samples"),
  id: EvaluationId,
  count: Count.annotate({
    description: "Texts for each seed. From the validation split at most as many as it has rows.",
  }),
  seeds: Schema.NonEmptyArray(Natural).annotate({
    description: "Seeds of the sample stream; text k of a seed is the same whatever else is sampled.",
  }),
  from: Schema.optionalKey(
    Schema.Union([Schema.Literals(["nothing", "validation"]), TestSetOfSpec]),
  ).annotate({
    description:
      "nothing, when absent: texts without a prompt. validation: text k begins and ends with what is given of row k of the validation split, such as its prompt. A test set of the task by source and digest: text k answers its k-th item, with the prompt that the task gives it.",
  }),
  sampling: Sampling,
  task: Schema.optionalKey(Identifier).annotate({
    description: "Task whose graders judge each text; none when absent.",
  }),
  graders: Schema.optionalKey(Schema.NonEmptyArray(Identifier)).annotate({
    description: "Graders of the task; its usual ones when absent.",
  }),
  judge: Schema.optionalKey(Judge),
}).annotate({
  description:
    "Texts that the network generates, with what is said of them: lengths against the data's, entropy, rows that are empty, full or broken, a task's verdicts, and what they cost.",
})
export type Samples = typeof Samples.Type
