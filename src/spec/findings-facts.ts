/** Facts of a source that are no results themselves, but from which findings are computed; and how sure a fact is. */
import * as Schema from "effect/Schema"

const Count = Schema.Int.check(Schema.isGreaterThan(0))
const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Identifier = Schema.String.check(
  Schema.isPattern(/^[a-z0-9][a-z0-9._-]*$/, {
    expected: "a name of lower-case letters, digits, '.', '_' and '-'",
  }),
)

export const MARKS = ["stated", "computed", "derived", "inferred"] as const
export const Mark = Schema.Literals(MARKS).annotate({
  description:
    "stated: a source says it. computed: from public logs or artefacts. derived: mathematics. inferred: could be wrong.",
})
export type Mark = typeof Mark.Type

/** A thread that is no file: what stands in it has no line, and its author can change it. */
const Thread = Schema.Struct({
  part: Schema.Literals(["title", "description", "comment", "review"]),
  url: Schema.String.annotate({ description: "Address of the pull request or issue." }),
  author: Schema.optionalKey(Schema.String),
  date: Schema.optionalKey(Schema.String),
}).annotate({ description: "The text of a pull request or issue, where the place is no line of a file." })

const Copy = Schema.Struct({
  repository: Schema.String,
  commit: Schema.String,
  file: Schema.String,
  line: Count,
}).annotate({
  description: "A public copy in which the place was read, as it has no commit or its commit is not known.",
})

export const Place = Schema.Struct({
  document: Schema.optionalKey(Schema.String).annotate({
    description: "Another document than the file's source, by title or address.",
  }),
  commit: Schema.optionalKey(Schema.String),
  file: Schema.optionalKey(Schema.String),
  line: Schema.optionalKey(Count),
  table: Schema.optionalKey(Schema.String),
  row: Schema.optionalKey(Schema.String),
  column: Schema.optionalKey(Schema.String),
  figure: Schema.optionalKey(Schema.String),
  part: Schema.optionalKey(Schema.Literals(["abstract", "commit message"])),
  thread: Schema.optionalKey(Thread),
  copy: Schema.optionalKey(Copy),
  note: Schema.optionalKey(Schema.String),
}).annotate({ description: "Where exactly it stands." })
export type Place = typeof Place.Type

const about = {
  id: Identifier,
  claims: Schema.Array(Identifier).annotate({ description: "Claims the fact bears on." }),
  mark: Mark,
  place: Place,
} as const
const kind = <K extends string>(name: K) => Schema.Literal(name)

/** Facts of a source that are no published results, but from which findings are computed. */
export const Fact = Schema.Union([
  Schema.Struct({
    kind: kind("training-objective"),
    ...about,
    weight: Schema.Literals(["dsigma", "nelbo", "clamped-inverse-t", "uniform-k"]),
    eps: Schema.Finite,
    length: Count,
  }).annotate({ description: "The weight that training put on the masked cross-entropy." }),
  Schema.Struct({
    kind: kind("run-length"),
    ...about,
    stepsPerGroup: Count,
    groupsAtHead: Count,
    groupsInRun: Count,
    switchAtHead: Schema.String,
  }).annotate({
    description: "Steps of the script as published beside the steps of the run behind the claim.",
  }),
  Schema.Struct({
    kind: kind("sweep-length"),
    ...about,
    stepsStated: Count,
    stepsPerGroup: Count,
    highestLearningRate: Schema.Finite,
    statedLearningRate: Schema.Finite,
  }).annotate({
    description: "Steps of an ablation as stated and as in the script committed beside its results.",
  }),
  Schema.Struct({
    kind: kind("deleted-code"),
    ...about,
    description: Schema.String,
    addedIn: Schema.String,
    removedIn: Schema.String,
  }).annotate({ description: "Text that describes code which a later commit removed." }),
  Schema.Struct({
    kind: kind("floor"),
    ...about,
    floor: Schema.Literals(["uniform", "initial", "unigram", "bigram"]),
    bitsPerToken: Schema.Finite,
  }).annotate({ description: "What a trivial model reaches on the same tokens." }),
  Schema.Struct({
    kind: kind("ratio-range"),
    ...about,
    low: Schema.Finite,
    high: Schema.Finite,
    statement: Schema.String,
  }).annotate({ description: "A range of bytes per token that a source asserts." }),
  Schema.Struct({
    kind: kind("ratio-sample"),
    ...about,
    windows: Count,
    windowTokens: Count,
    bytes: Count,
    standardDeviation: Schema.Finite,
  }).annotate({ description: "Bytes per token of a sample of windows, counted on their text." }),
  Schema.Struct({
    kind: kind("log-pair"),
    ...about,
    file: Schema.String,
    natsPerToken: Schema.String.annotate({ description: "As printed, all digits." }),
    bitsPerByte: Schema.String.annotate({ description: "As printed, all digits." }),
    tokens: Count,
  }).annotate({ description: "A log line with loss and BPB, which together say the bytes per token." }),
  Schema.Struct({
    kind: kind("matched-steps"),
    ...about,
    steps: Count,
    confounds: Schema.Array(Schema.String),
  }).annotate({ description: "Two claims at equal optimiser steps, first the newer one." }),
  Schema.Struct({ kind: kind("quotation"), ...about, printed: Schema.String }).annotate({
    description: "Another document quotes the claims' number.",
  }),
  Schema.Struct({ kind: kind("table"), ...about, sortedBy: Schema.String }).annotate({
    description: "A published table in which the claims stand in one column.",
  }),
  Schema.Struct({
    kind: kind("schedule-mismatch"),
    ...about,
    training: Schema.String,
    sampling: Schema.String,
  }).annotate({ description: "Different schedules at training and at sampling time." }),
  Schema.Struct({ kind: kind("grader-ceiling"), ...about, items: Count, unscorable: Count }).annotate({
    description: "Items that the grader cannot score correct even for the verbatim gold answer.",
  }),
  Schema.Struct({
    kind: kind("post-processing"),
    ...about,
    items: Count,
    correct: Natural,
    correctAfter: Natural,
    change: Schema.String,
  }).annotate({ description: "The same generations graded again after a uniform change." }),
  Schema.Struct({ kind: kind("selection-split"), ...about, statement: Schema.String }).annotate({
    description: "Settings or checkpoints were chosen on the split that is reported.",
  }),
  Schema.Struct({
    kind: kind("baseline-range"),
    ...about,
    setting: Schema.String,
    value: Schema.Finite,
    low: Schema.Finite,
    high: Schema.Finite,
  }).annotate({ description: "A baseline was run at a setting outside the range its authors validated." }),
  Schema.Struct({ kind: kind("setting-per-benchmark"), ...about, statement: Schema.String }).annotate({
    description: "A setting was chosen per benchmark, on the benchmark that is reported.",
  }),
  Schema.Struct({ kind: kind("any-extraction"), ...about, extractions: Count }).annotate({
    description: "A sample passes when it passes under any of several extractions of the answer.",
  }),
  Schema.Struct({
    kind: kind("temperatures"),
    ...about,
    contender: Schema.Finite,
    baseline: Schema.Finite,
  }).annotate({ description: "Contender and baseline are decoded at these temperatures." }),
  Schema.Struct({ kind: kind("paired-items"), ...about }).annotate({
    description: "Two pass rates over the same items, first the contender's, printed without the items.",
  }),
  Schema.Struct({ kind: kind("versions"), ...about, statement: Schema.String }).annotate({
    description: "Two versions of one claim, first the older.",
  }),
  Schema.Struct({ kind: kind("unmatched-baseline"), ...about, statement: Schema.String }).annotate({
    description: "The two arms of a comparison differ in more than the claim says.",
  }),
  Schema.Struct({
    kind: kind("released-code"),
    ...about,
    title: Schema.String.annotate({ description: "The finding in a few words." }),
    statement: Schema.String.annotate({
      description: "What the code does, after the words: a source shows.",
    }),
    effect: Schema.String.annotate({ description: "What that means for the claims, in a sentence." }),
  }).annotate({ description: "What released code does that the claims' text does not say." }),
  Schema.Struct({
    kind: kind("time-range"),
    ...about,
    low: Schema.Finite,
    high: Schema.Finite,
    eps: Schema.Finite,
  }).annotate({
    description: "Times that training draws, under a weight of 1 / (1 - t + eps) for a revealed token.",
  }),
  Schema.Struct({ kind: kind("narrow-updates"), ...about, learningRate: Schema.Finite }).annotate({
    description: "Parameters that are trained in bfloat16, without a copy in fp32, at this learning rate.",
  }),
  Schema.Struct({
    kind: kind("learning-rate-cycles"),
    ...about,
    cycles: Count,
    steps: Count,
    warmup: Natural,
    checkpoints: Schema.Array(Natural).annotate({ description: "Steps whose share of the peak is told." }),
  }).annotate({ description: "A cosine of several full periods behind a linear warm-up." }),
  Schema.Struct({
    kind: kind("step-cost"),
    ...about,
    steps: Count,
    contenderSeconds: Schema.Finite,
    baselineSeconds: Schema.Finite,
    reason: Schema.String,
  }).annotate({ description: "Seconds that stored runs of two models took for equally many steps." }),
  Schema.Struct({ kind: kind("unpaired-rates"), ...about }).annotate({
    description: "A rate and the figure that it runs again, on equally many items; items are not printed.",
  }),
])
export type Fact = typeof Fact.Type
