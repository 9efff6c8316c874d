/** Samples as an evaluation: the JSON of a spec. */
import * as Schema from "effect/Schema"
import { Count, Identifier, Natural } from "../../spec/common.js"
import { Sampling } from "../../spec/sampling.js"
import { EvaluationId } from "../../spec/windows.js"

export const Samples = Schema.Struct({
  kind: Schema.Literal("samples"),
  id: EvaluationId,
  count: Count.annotate({
    description: "Texts for each seed. From the validation split at most as many as it has rows.",
  }),
  seeds: Schema.NonEmptyArray(Natural).annotate({
    description: "Seeds of the sample stream; text k of a seed is the same whatever else is sampled.",
  }),
  from: Schema.optionalKey(Schema.Literals(["nothing", "validation"])).annotate({
    description:
      "nothing, when absent: texts without a prompt. validation: text k begins and ends with what is given of row k of the validation split, such as its prompt.",
  }),
  sampling: Sampling,
  task: Schema.optionalKey(Identifier).annotate({
    description: "Task whose graders judge each text; none when absent.",
  }),
  graders: Schema.optionalKey(Schema.NonEmptyArray(Identifier)).annotate({
    description: "Graders of the task; its usual ones when absent.",
  }),
}).annotate({
  description:
    "Texts that the network generates, with what is said of them: lengths against the data's, entropy, rows that are empty, full or broken, a task's verdicts, and what they cost.",
})
export type Samples = typeof Samples.Type
