/** Rules between the fields of an experiment, which no single field's schema can state. Those of a kind stand with it. */
import { corpusKinds, corpusPart } from "../data/corpora/index.js"
import type { Visits } from "../data/corpora/part.js"
import { evaluatorKinds, evaluatorPart, evaluatorParts } from "../evaluators/index.js"
import type { EvaluationKind, EvaluationRule, OfWindows } from "../evaluators/part.js"
import { meantKind, networkKinds, networkPart, objectiveKinds, objectivePart } from "../families/index.js"
import { problem, type Rule, type RuleSubject } from "../families/part.js"
import type { Experiment } from "./experiment.js"
import { valueAt } from "./pointer.js"
import { ifReadable, readable } from "./readable.js"
import type { Problem } from "./spec-error.js"

/** An experiment as it is read, with the parts that its kinds name. */
interface Subject extends RuleSubject {
  readonly model: Experiment["model"]
  readonly objective: Experiment["objective"]
  readonly evaluations: Experiment["evaluations"]
  readonly init?: Experiment["init"]
}

/** The largest id that the network reads or predicts. */
const largestId = ({ data: { tokenizer, batching }, objective, parts }: RuleSubject): number =>
  Math.max(
    tokenizer.vocabSize - 1,
    ...parts.objective.ids(objective, tokenizer),
    batching.kind === "document-chunks" || batching.kind === "documents" ? tokenizer.padId : 0,
  )

const tokenIds: readonly Rule[] = [
  ({ data: { tokenizer }, parts: { corpus } }) =>
    tokenizer.vocabSize > (corpus.idLimit?.(tokenizer) ?? Infinity) &&
    problem(
      "/data/tokenizer/vocabSize",
      `at most ${corpus.idLimit?.(tokenizer)}, the ids that the shards' 16-bit integers hold`,
      tokenizer.vocabSize,
      "Larger ids would have been cut when the shards were written.",
    ),
  ({ data, parts }) =>
    data.tokenizer.model === "corpus" &&
    parts.corpus.tokenizer(data.corpus) === undefined &&
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
  ({ data: { tokenizer, batching }, parts }) =>
    tokenizer.padId === tokenizer.boundaryId &&
    !(parts.network.specials === "inside" && batching.end !== "anchor") &&
    problem(
      "/data/tokenizer/padId",
      "an id other than boundaryId",
      tokenizer.padId,
      "The boundary ends each row and is its anchor, PAD is absence: with one id the anchor would vanish. Add a piece for padding, such as <|pad|>, and write its id.",
    ),
  ({ data: { tokenizer } }) =>
    tokenizer.separatorId !== undefined &&
    (tokenizer.separatorId >= tokenizer.vocabSize || tokenizer.separatorId === tokenizer.boundaryId) &&
    problem(
      "/data/tokenizer/separatorId",
      `an id below the vocabulary size ${tokenizer.vocabSize}, other than boundaryId`,
      tokenizer.separatorId,
    ),
  ...(["end", "separator", "delimiter", "infill"] as const).map(
    (key): Rule =>
      ({ data: { batching } }) =>
        batching[key] !== undefined &&
        batching.kind !== "documents" &&
        problem(`/data/batching/${key}`, 'nothing: it is about batches of kind "documents"', batching[key]),
  ),
  ({ data: { batching } }) =>
    batching.infill !== undefined &&
    batching.end === "anchor" &&
    problem("/data/batching/end", '"none" for rows with a gap', '"anchor"', "Their suffix ends them."),
  ({ data: { batching } }) =>
    batching.kind === "documents" &&
    batching.end === "anchor" &&
    batching.length < 2 &&
    problem("/data/batching/length", "at least 2 tokens: one and the end", batching.length),
  ...(["maskId", "padId"] as const).map(
    (key): Rule =>
      ({ data: { tokenizer }, parts }) =>
        tokenizer[key] < tokenizer.vocabSize &&
        parts.network.specials !== "inside" &&
        !(key === "padId" && tokenizer.padId === tokenizer.boundaryId) &&
        problem(
          `/data/tokenizer/${key}`,
          `an id of at least the vocabulary size ${tokenizer.vocabSize}`,
          tokenizer[key],
        ),
  ),
  ({ data: { tokenizer } }) =>
    tokenizer.padId === tokenizer.maskId &&
    problem("/data/tokenizer/padId", "an id other than maskId", tokenizer.padId),
  (subject) => {
    const { model, data, parts } = subject
    const rows = parts.network.tokenRows(model, data.tokenizer.vocabSize)
    const largest = largestId(subject)
    return (
      rows <= largest &&
      problem("/model/tableRows", `at least ${largest + 1} rows, one for every id in use`, rows)
    )
  },
]

/** A network that is not of the experiment's system. */
const systems: Rule = ({ system, model, parts }) => {
  const { systems: own } = parts.network
  return (
    own !== undefined &&
    !own.includes(system) &&
    problem(
      "/system",
      `${own.map((name) => JSON.stringify(name)).join(" or ")} for a network of kind "${model.kind}"`,
      JSON.stringify(system),
    )
  )
}

const visitsOf = ({ data: { corpus, batching } }: RuleSubject): Visits =>
  corpusPart(corpus).visits(corpus, batching)

/** What weights begin as. `init` is no part of what a family's rules read. */
const beginnings: readonly ((experiment: Subject) => Problem | false)[] = [
  ({ init, training: { stepsPerGroup } }) =>
    stepsPerGroup === 0 &&
    init === undefined &&
    problem(
      "/training/stepsPerGroup",
      "at least 1 step, or an init whose weights are scored as they are",
      stepsPerGroup,
    ),
  ({ init, model, data, parts }) =>
    init === undefined &&
    parts.network.parameters(model, data.tokenizer.vocabSize).some(({ storage }) => storage !== undefined) &&
    problem("/init", "what the frozen weights are: init names a spec or a checkpoint", "nothing"),
]

const schedules: readonly Rule[] = [
  ({ training: { emaDecay, emaWarmup } }) =>
    emaWarmup === true &&
    emaDecay === undefined &&
    problem("/training/emaDecay", "the decay that the average warms up to", "nothing"),
  (experiment) =>
    visitsOf(experiment).shards === 0 && problem("/data/corpus/train", "at least one shard", "an empty list"),
  (experiment) => {
    const { shards } = visitsOf(experiment)
    const { shardsInMemory } = experiment.data.batching
    return (
      shardsInMemory > Math.max(1, shards) &&
      problem("/data/batching/shardsInMemory", `at most the ${shards} training shards`, shardsInMemory)
    )
  },
  (experiment) => {
    const { training } = experiment
    const { schedule } = training
    const restart = "restart" in schedule && schedule.restart
    const groups = restart ? 1 : visitsOf(experiment).groups
    const span = training.stepsPerGroup * groups
    if (!("warmdown" in schedule))
      return (
        schedule.warmup > span &&
        problem("/training/schedule/warmup", `at most the ${span} steps of the run`, schedule.warmup)
      )
    const { warmup, warmdown } = schedule
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

/** A network is asked what its objective taught it. */
const fits: EvaluationRule<EvaluationKind> = ({ kind }, at, { model, parts }) => {
  const { needs } = evaluatorPart({ kind })
  const causal = parts.objective.scored === "all"
  const inserting = parts.network.endSlot?.(model) !== undefined
  if (needs !== "sampler" && inserting !== (needs === "inserting"))
    return problem(
      `${at}/kind`,
      inserting
        ? `${kindsThatNeed("inserting").join(" or ")}, as the network inserts tokens`
        : `another kind: the network of this experiment inserts no tokens`,
      JSON.stringify(kind),
    )
  return (
    needs !== "sampler" &&
    (needs === "causal") !== causal &&
    problem(
      `${at}/kind`,
      causal
        ? `${kindsThatNeed("causal").join(" or ")}, as the objective is`
        : "a diffusion evaluation, as the objective is masked diffusion",
      JSON.stringify(kind),
    )
  )
}

/**
 * Rows of whole documents are scored as they are trained on, by kinds that know which of their tokens are given and code
 * where they end; no other rows are documents. Where documents have prompts every other alignment would score those, and
 * the separator with them.
 */
const aligned: EvaluationRule<EvaluationKind> = (
  evaluation,
  at,
  { data: { batching, tokenizer }, model, objective, parts },
) => {
  const windows = "windows" in evaluation ? (evaluation as Partial<OfWindows>).windows : undefined
  if (windows === undefined) return false
  const inserting = parts.network.endSlot?.(model) !== undefined
  const prompts = batching.kind === "documents" && tokenizer.separatorId !== undefined
  const [documents, rows] = [windows.alignment === "documents", batching.kind === "documents"]
  const found = JSON.stringify(windows.alignment)
  if (documents !== rows && (inserting || prompts || documents))
    return problem(
      `${at}/windows/alignment`,
      rows
        ? '"documents", as rows of training are whole documents'
        : `another alignment: "documents" is for batches of kind "documents"`,
      found,
    )
  if (evaluatorPart(evaluation).wholeDocuments === true) return false
  if (documents)
    return problem(
      `${at}/windows/alignment`,
      `"raw-stream" or "document-chunks" for the kind "${evaluation.kind}"`,
      found,
      "It would score prompts, which are given in rows of whole documents.",
    )
  return (
    windows.alignment !== "raw-stream" &&
    parts.objective.textEnd?.(objective, tokenizer) !== undefined &&
    problem(
      `${at}/windows/alignment`,
      `"raw-stream" for the kind "${evaluation.kind}", or the kind "continuous-nelbo"`,
      found,
      "The network has learned the end of a text in every place behind it, and this kind would leave those places to PAD, which it has never seen.",
    )
  )
}

const kindsThatNeed = (needs: string): readonly string[] =>
  evaluatorParts().flatMap((part) => (part.needs === needs ? [JSON.stringify(part.kind)] : []))

/** The rules of the kind that an evaluation means, and the one for all. */
const evaluationRules = (
  subject: Subject,
  value: unknown,
  index: number,
): readonly (() => Problem | false)[] => {
  const at = `/evaluations/${index}`
  const kind = meantKind(valueAt(value, `${at}/kind`), evaluatorKinds())
  const own = kind === undefined ? [] : evaluatorPart({ kind }).rules
  return [...own, fits, aligned].map((rule) => () => rule(subject.evaluations[index]!, at, subject))
}

/** Of each evaluation whose id an earlier one has. */
const repeatedIds = (experiment: Subject, count: number): readonly Problem[] => {
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

/** The parts that a value's kinds mean; reading one that no kind names silences the rule that reads it. */
const withParts = (subject: Subject, value: unknown): Subject => {
  const meant = (pointer: string, kinds: readonly string[]): string | undefined =>
    meantKind(valueAt(value, pointer), kinds)
  const network = meant("/model/kind", networkKinds())
  const objective = meant("/objective/kind", objectiveKinds())
  const corpus = meant("/data/corpus/kind", corpusKinds())
  const parts = {
    network: network === undefined ? undefined : networkPart({ kind: network }),
    objective: objective === undefined ? undefined : objectivePart({ kind: objective }),
    corpus: corpus === undefined ? undefined : corpusPart({ kind: corpus }),
  }
  return new Proxy(subject, {
    get: (target, key) =>
      key === "parts" ? readable(parts, missingParts(parts)) : (Reflect.get(target, key) as unknown),
  })
}

const missingParts = (parts: Readonly<Record<string, unknown>>): readonly string[] =>
  Object.entries(parts).flatMap(([name, part]) => (part === undefined ? [`/${name}`] : []))

/**
 * Every broken rule of an experiment as it is written.
 *
 * @param value the experiment as JSON
 * @param wrong pointers of what the schema refuses in it; rules that need those places are not judged
 */
export const brokenRules = (value: unknown, wrong: Iterable<string> = []): readonly Problem[] => {
  const subject = withParts(readable<Subject>(value, wrong), value)
  const rules: readonly Rule[] = [
    systems,
    ...(ifReadable(() => subject.parts.network.rules) ?? []),
    ...tokenIds,
    ...(ifReadable(() => subject.parts.objective.rules) ?? []),
    ...(ifReadable(() => subject.parts.corpus.rules) ?? []).map(
      (rule): Rule =>
        ({ data }) =>
          rule(data),
    ),
    ...schedules,
  ]
  const count = ifReadable(() => subject.evaluations.length) ?? 0
  const ofEvaluations = Array.from({ length: count }, (_, index) =>
    evaluationRules(subject, value, index),
  ).flat()
  const ofWhole = beginnings.map((rule) => () => rule(subject))
  const found = [...rules.map((rule) => () => rule(subject)), ...ofWhole, ...ofEvaluations].map(ifReadable)
  return [...found, ...repeatedIds(subject, count)].filter((each) => each !== undefined && each !== false)
}
