/** Rules between the fields of an experiment, which no single field's schema can state. */
import type { Evaluation } from "./evaluation.js"
import type { Experiment } from "./experiment.js"
import type { Problem } from "./spec-error.js"

type Rule = (experiment: Experiment) => readonly (Problem | false)[]

const problem = (pointer: string, expected: string, found: unknown, hint?: string): Problem => ({
  pointer,
  expected,
  found: typeof found === "string" ? found : JSON.stringify(found),
  ...(hint === undefined ? {} : { hint }),
})

const headCounts: Rule = ({ model }) => {
  const kvHeads = model.kvHeads ?? model.heads
  return [
    model.width % model.heads !== 0 &&
      problem("/model/heads", `a divisor of the width ${model.width}`, model.heads),
    model.width % model.heads === 0 &&
      (model.width / model.heads) % 2 !== 0 &&
      problem(
        "/model/heads",
        `an even head width (width ${model.width} / heads)`,
        model.heads,
        "Rotary positions turn pairs.",
      ),
    model.heads % kvHeads !== 0 && problem("/model/kvHeads", `a divisor of heads ${model.heads}`, kvHeads),
    !Number.isInteger(model.width * model.mlpRatio) &&
      problem(
        "/model/mlpRatio",
        `a ratio that makes width ${model.width} * mlpRatio an integer`,
        model.mlpRatio,
      ),
  ]
}

const tokenIds: Rule = ({ data, model, objective }) => {
  const { vocabSize, boundaryId, maskId, padId } = data.tokenizer
  const rows = model.kind === "mdlm" ? model.tableRows : (model.tableRows ?? vocabSize)
  const usesMask = objective.kind === "masked-diffusion"
  const usesPad = data.batching.kind === "document-chunks"
  const largest = Math.max(vocabSize - 1, usesMask ? maskId : 0, usesPad ? padId : 0)
  return [
    boundaryId >= vocabSize &&
      problem("/data/tokenizer/boundaryId", `an id below the vocabulary size ${vocabSize}`, boundaryId),
    maskId < vocabSize &&
      problem("/data/tokenizer/maskId", `an id of at least the vocabulary size ${vocabSize}`, maskId),
    padId < vocabSize &&
      problem("/data/tokenizer/padId", `an id of at least the vocabulary size ${vocabSize}`, padId),
    padId === maskId && problem("/data/tokenizer/padId", "an id other than maskId", padId),
    rows <= largest &&
      problem("/model/tableRows", `at least ${largest + 1} rows, one for every id in use`, rows),
  ]
}

const objectives: Rule = ({ objective, model }) => [
  objective.kind === "masked-diffusion" &&
    objective.timeMin >= objective.timeMax &&
    problem("/objective/timeMin", `a time below timeMax ${objective.timeMax}`, objective.timeMin),
  objective.kind === "masked-diffusion" &&
    objective.schedule.eps === 1 &&
    problem("/objective/schedule/eps", "a number below 1", 1, "With 1 nothing is ever masked."),
  objective.kind === "autoregressive" &&
    (model.attention ?? "causal") !== "causal" &&
    problem(
      "/model/attention",
      '"causal" for the autoregressive objective',
      JSON.stringify(model.attention),
      "Bidirectional attention would show the model its targets.",
    ),
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

const schedules: Rule = ({ training, data }) => {
  const { schedule, stepsPerGroup } = training
  const shards = data.corpus.kind === "files" ? data.corpus.train.length : data.corpus.trainShards
  const { rotation, shardsInMemory } = data.batching
  const groups = rotation ? Math.ceil(shards / shardsInMemory) : 1
  const span = schedule.restart ? stepsPerGroup : stepsPerGroup * groups
  return [
    shards === 0 && problem("/data/corpus/train", "at least one shard", "an empty list"),
    shardsInMemory > Math.max(1, shards) &&
      problem("/data/batching/shardsInMemory", `at most the ${shards} training shards`, shardsInMemory),
    schedule.warmup + schedule.warmdown > span &&
      problem(
        "/training/schedule/warmdown",
        `warmup + warmdown of at most ${span} steps`,
        schedule.warmup + schedule.warmdown,
        schedule.restart
          ? "The schedule restarts with each shard group."
          : "The schedule spans the whole run.",
      ),
  ]
}

const needsCausal = new Set<Evaluation["kind"]>(["autoregressive"])

const scorings: Rule = ({ evaluations, objective, data }) =>
  evaluations.flatMap((evaluation, index) => {
    const at = `/evaluations/${index}`
    const first = evaluations.findIndex(({ id }) => id === evaluation.id)
    const stride = "stride" in evaluation ? evaluation.stride : undefined
    const length = evaluation.windows.length
    const rule =
      objective.kind === "autoregressive"
        ? needsCausal.has(evaluation.kind)
        : !needsCausal.has(evaluation.kind)
    return [
      first !== index &&
        problem(
          `${at}/id`,
          "an id that no other evaluation has",
          JSON.stringify(evaluation.id),
          `/evaluations/${first} has it too.`,
        ),
      stride !== undefined &&
        stride > length &&
        problem(`${at}/stride`, `at most the window length ${length}`, stride),
      evaluation.kind === "block-nelbo" &&
        evaluation.block > length &&
        problem(`${at}/block`, `at most the window length ${length}`, evaluation.block),
      !rule &&
        problem(
          `${at}/kind`,
          objective.kind === "autoregressive"
            ? '"autoregressive", as the objective is'
            : "a diffusion evaluation, as the objective is masked diffusion",
          JSON.stringify(evaluation.kind),
        ),
      length > 2 * data.batching.length &&
        evaluation.kind !== "autoregressive" &&
        problem(
          `${at}/windows/length`,
          `at most twice the training length ${data.batching.length}`,
          length,
          "Positions that were never trained would be scored.",
        ),
    ]
  })

const RULES: readonly Rule[] = [headCounts, tokenIds, objectives, schedules, scorings]

/** Every broken rule of a decoded experiment. */
export const brokenRules = (experiment: Experiment): readonly Problem[] =>
  RULES.flatMap((rule) => rule(experiment)).filter((found) => found !== false)
