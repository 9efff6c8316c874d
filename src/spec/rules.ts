/** Rules between the fields of an experiment, which no single field's schema can state. */
import type { Evaluation } from "./evaluation.js"
import type { Experiment } from "./experiment.js"
import { ifReadable, readable } from "./readable.js"
import type { Problem } from "./spec-error.js"

/**
 * One rule. It reads no more fields than it is about: a field of the wrong form silences the rules that read it, and
 * no other.
 */
type Rule = (experiment: Experiment) => Problem | false

const problem = (pointer: string, expected: string, found: unknown, hint?: string): Problem => ({
  pointer,
  expected,
  found: typeof found === "string" ? found : JSON.stringify(found),
  ...(hint === undefined ? {} : { hint }),
})

const headCounts: readonly Rule[] = [
  ({ model: { width, heads } }) =>
    width % heads !== 0 && problem("/model/heads", `a divisor of the width ${width}`, heads),
  ({ model: { width, heads } }) =>
    width % heads === 0 &&
    (width / heads) % 2 !== 0 &&
    problem(
      "/model/heads",
      `an even head width (width ${width} / heads)`,
      heads,
      "Rotary positions turn pairs.",
    ),
  ({ model: { heads, kvHeads = heads } }) =>
    heads % kvHeads !== 0 && problem("/model/kvHeads", `a divisor of heads ${heads}`, kvHeads),
  ({ model: { width, mlpRatio } }) =>
    !Number.isInteger(width * mlpRatio) &&
    problem("/model/mlpRatio", `a ratio that makes width ${width} * mlpRatio an integer`, mlpRatio),
]

/** The largest id that the network reads or predicts. */
const largestId = ({ data: { tokenizer, batching }, objective }: Experiment): number =>
  Math.max(
    tokenizer.vocabSize - 1,
    objective.kind === "masked-diffusion" ? tokenizer.maskId : 0,
    batching.kind === "document-chunks" ? tokenizer.padId : 0,
  )

/** Ids that the 16 bits of the shard format hold. */
const SHARD_IDS = 2 ** 16

const tokenIds: readonly Rule[] = [
  ({ data: { tokenizer } }) =>
    tokenizer.vocabSize > SHARD_IDS &&
    problem(
      "/data/tokenizer/vocabSize",
      `at most ${SHARD_IDS}, the ids that the shards' 16-bit integers hold`,
      tokenizer.vocabSize,
      "Larger ids would have been cut when the shards were written.",
    ),
  ({ data }) =>
    data.tokenizer.model === "corpus" &&
    data.corpus.kind !== "parameter-golf" &&
    problem(
      "/data/tokenizer/model",
      `"embedded" or file:PATH for a corpus of kind "${data.corpus.kind}"`,
      '"corpus"',
      "Such a corpus publishes no tokenizer.",
    ),
  ({ data: { tokenizer } }) =>
    tokenizer.boundaryId >= tokenizer.vocabSize &&
    problem(
      "/data/tokenizer/boundaryId",
      `an id below the vocabulary size ${tokenizer.vocabSize}`,
      tokenizer.boundaryId,
    ),
  ...(["maskId", "padId"] as const).map(
    (key): Rule =>
      ({ data: { tokenizer } }) =>
        tokenizer[key] < tokenizer.vocabSize &&
        problem(
          `/data/tokenizer/${key}`,
          `an id of at least the vocabulary size ${tokenizer.vocabSize}`,
          tokenizer[key],
        ),
  ),
  ({ data: { tokenizer } }) =>
    tokenizer.padId === tokenizer.maskId &&
    problem("/data/tokenizer/padId", "an id other than maskId", tokenizer.padId),
  (experiment) => {
    const { model, data } = experiment
    const rows = model.kind === "mdlm" ? model.tableRows : (model.tableRows ?? data.tokenizer.vocabSize)
    const largest = largestId(experiment)
    return (
      rows <= largest &&
      problem("/model/tableRows", `at least ${largest + 1} rows, one for every id in use`, rows)
    )
  },
]

/** alpha(1) is 0 in float64: eps is 0, or so small that 1 - eps loses it. */
const endsInvisible = (eps: number): boolean => 1 - eps === 1

const objectives: readonly Rule[] = [
  ({ objective, model }) =>
    objective.kind === "masked-diffusion" &&
    model.kind === "mdlm" &&
    model.conditioning.kind === "sigma" &&
    endsInvisible(objective.schedule.eps) &&
    problem(
      "/objective/schedule/eps",
      "a number above 0 (at least 2^-52) for a network that is told the noise level",
      objective.schedule.eps,
      "With 0 the noise level sigma(1) = -ln eps is infinite.",
    ),
  ({ objective }) =>
    objective.kind === "masked-diffusion" &&
    objective.weight === "dsigma" &&
    objective.timeMax === 1 &&
    endsInvisible(objective.schedule.eps) &&
    problem(
      "/objective/timeMax",
      'a time below 1 for the weight "dsigma" with eps 0',
      objective.timeMax,
      "The weight (1-eps)/alpha is infinite at t = 1.",
    ),
  ({ objective }) =>
    objective.kind === "masked-diffusion" &&
    objective.schedule.eps === 1 &&
    problem("/objective/schedule/eps", "a number below 1", 1, "With 1 nothing is ever masked."),
  ({ objective }) =>
    objective.kind === "masked-diffusion" &&
    objective.timeMin >= objective.timeMax &&
    problem("/objective/timeMin", `a time below timeMax ${objective.timeMax}`, objective.timeMin),
  ({ objective, model }) =>
    objective.kind === "autoregressive" &&
    (model.attention ?? "causal") !== "causal" &&
    problem(
      "/model/attention",
      '"causal" for the autoregressive objective',
      JSON.stringify(model.attention),
      "Bidirectional attention would show the model its targets.",
    ),
  ({ objective, model }) =>
    objective.kind === "autoregressive" &&
    model.kind === "mdlm" &&
    model.conditioning.kind !== "none" &&
    problem(
      "/model/conditioning/kind",
      '"none" for the autoregressive objective',
      JSON.stringify(model.conditioning.kind),
      "There is no noise level.",
    ),
]

const shardCount = ({ data: { corpus } }: Experiment): number =>
  corpus.kind === "files" ? corpus.train.length : corpus.trainShards

const schedules: readonly Rule[] = [
  (experiment) =>
    shardCount(experiment) === 0 && problem("/data/corpus/train", "at least one shard", "an empty list"),
  (experiment) => {
    const shards = shardCount(experiment)
    const { shardsInMemory } = experiment.data.batching
    return (
      shardsInMemory > Math.max(1, shards) &&
      problem("/data/batching/shardsInMemory", `at most the ${shards} training shards`, shardsInMemory)
    )
  },
  (experiment) => {
    const { data, training } = experiment
    const { warmup, warmdown, restart } = training.schedule
    const groups =
      restart || !data.batching.rotation
        ? 1
        : Math.ceil(shardCount(experiment) / data.batching.shardsInMemory)
    const span = training.stepsPerGroup * groups
    return (
      warmup + warmdown > span &&
      problem(
        "/training/schedule/warmdown",
        `warmup + warmdown of at most ${span} steps`,
        warmup + warmdown,
        restart ? "The schedule restarts with each shard group." : "The schedule spans the whole run.",
      )
    )
  },
]

type EvaluationRule = (evaluation: Evaluation, at: string, experiment: Experiment) => Problem | false

const scorings: readonly EvaluationRule[] = [
  (evaluation, at) =>
    "stride" in evaluation &&
    evaluation.stride !== undefined &&
    evaluation.stride > evaluation.windows.length &&
    problem(`${at}/stride`, `at most the window length ${evaluation.windows.length}`, evaluation.stride),
  (evaluation, at) =>
    evaluation.kind === "block-nelbo" &&
    evaluation.block > evaluation.windows.length &&
    problem(`${at}/block`, `at most the window length ${evaluation.windows.length}`, evaluation.block),
  ({ kind }, at, { objective }) =>
    (kind === "autoregressive") !== (objective.kind === "autoregressive") &&
    problem(
      `${at}/kind`,
      objective.kind === "autoregressive"
        ? '"autoregressive", as the objective is'
        : "a diffusion evaluation, as the objective is masked diffusion",
      JSON.stringify(kind),
    ),
  ({ kind, windows }, at, { data: { batching } }) =>
    windows.length > 2 * batching.length &&
    kind !== "autoregressive" &&
    problem(
      `${at}/windows/length`,
      `at most twice the training length ${batching.length}`,
      windows.length,
      "Positions that were never trained would be scored.",
    ),
]

/** Of each evaluation whose id an earlier one has. */
const repeatedIds = (experiment: Experiment, count: number): readonly Problem[] => {
  const first = new Map<string, number>()
  return Array.from({ length: count }, (_, index) => index).flatMap((index): readonly Problem[] => {
    const id = ifReadable(() => experiment.evaluations[index]?.id)
    if (id === undefined) return []
    const other = first.get(id)
    if (other === undefined) {
      first.set(id, index)
      return []
    }
    return [
      problem(
        `/evaluations/${index}/id`,
        "an id that no other evaluation has",
        JSON.stringify(id),
        `/evaluations/${other} has it too.`,
      ),
    ]
  })
}

const RULES: readonly Rule[] = [...headCounts, ...tokenIds, ...objectives, ...schedules]

/**
 * Every broken rule of an experiment as it is written.
 *
 * @param value the experiment as JSON
 * @param wrong pointers of what the schema refuses in it; rules that need those places are not judged
 */
export const brokenRules = (value: unknown, wrong: Iterable<string> = []): readonly Problem[] => {
  const experiment = readable<Experiment>(value, wrong)
  const count = ifReadable(() => experiment.evaluations.length) ?? 0
  const evaluationRules = Array.from({ length: count }, (_, index) =>
    scorings.map(
      (rule): Rule =>
        (whole) =>
          rule(whole.evaluations[index]!, `/evaluations/${index}`, whole),
    ),
  ).flat()
  const found = [...RULES, ...evaluationRules].map((rule) => ifReadable(() => rule(experiment)))
  return [...found, ...repeatedIds(experiment, count)].filter((each) => each !== undefined && each !== false)
}
