/**
 * Models trained on one data set and budget, side by side on the same windows: what agrees, one table, and findings
 * with paired intervals. Everything is arithmetic on evidence; nothing is measured here.
 */
import { isHeadline } from "../evaluators/index.js"
import { estimatorOf } from "./contract-in.js"
import { summarise as summariseValues } from "../metric/statistics/intervals.js"
import { canonicalJson } from "../spec/canonical.js"
import { identityOf } from "../spec/fingerprint.js"
import { byPoint } from "../spec/study.js"
import { allFloorRows, isUntrained } from "./build-language-model-table.js"
import { comparabilitySentence } from "./differences.js"
import { evaluationRows } from "./evaluation-rows.js"
import { isPrefix } from "./ladder.js"
import type { EvaluationSummary, RatioInterval } from "./language-model.js"
import { findings, type Finding } from "./matched-findings.js"
import type { MatchedModel, MatchedRun } from "./matched-model.js"
import { sampleRows } from "./matched-samples.js"
import { formatCount } from "./numbers.js"
import { overSeeds } from "./over-seeds.js"
import { makeTable, type ResultsTable, type TableRow } from "./table.js"

/** One thing that should be equal, and whether it is. */
export interface MatchedCondition {
  readonly name: string
  readonly agrees: boolean
  /** By model. */
  readonly values: Readonly<Record<string, string>>
  /** Without it nothing can be paired. */
  readonly essential: boolean
}

export interface Matched {
  readonly format: "repro-matched"
  readonly version: 1
  readonly conditions: readonly MatchedCondition[]
  /** Every essential condition holds. */
  readonly comparable: boolean
  readonly findings: readonly Finding[]
  readonly runs: readonly string[]
  readonly table: ResultsTable
}

/** Runs grouped by experiment, in the order in which each experiment comes first. */
export const modelsOf = (runs: readonly MatchedRun[]): readonly MatchedModel[] =>
  byPoint(runs, ({ experiment }) => experiment.id).map(([id, own]) => {
    const seeds = own.toSorted((a, b) => a.experiment.training.seed - b.experiment.training.seed)
    return { id, title: seeds[0]!.experiment.title, seeds }
  })

interface Identity {
  readonly data: unknown
  readonly model: Readonly<Record<string, unknown>>
  readonly training: Readonly<Record<string, unknown>>
}

const without = (from: Readonly<Record<string, unknown>>, ...keys: readonly string[]): unknown =>
  Object.fromEntries(Object.entries(from).filter(([key]) => !keys.includes(key)))

/** A text that is equal exactly when the thing is. */
const text = (value: unknown): string => (typeof value === "string" ? value : canonicalJson(value))

const CONDITIONS: readonly {
  readonly name: string
  readonly essential?: true
  readonly of: (run: MatchedRun, identity: Identity) => unknown
}[] = [
  {
    name: "data",
    essential: true,
    of: ({ trainDigests }, { data }) => (trainDigests === undefined ? data : { data, trainDigests }),
  },
  {
    name: "validation split",
    essential: true,
    of: ({ evaluations: [first] }) => first?.context.export ?? "none",
  },
  {
    name: "tokenizer",
    essential: true,
    of: ({ evaluations: [first] }) => first?.context.tokenizer ?? "none",
  },
  {
    name: "scored windows",
    essential: true,
    of: ({ evaluations: [first] }) =>
      first === undefined
        ? "none"
        : `${first.perWindow.length} of ${first.evaluation.windows.length} tokens, ${first.tokens} tokens, ${first.bytes} bytes`,
  },
  { name: "network size", of: (_, { model }) => without(model, "attention", "conditioning") },
  { name: "parameters", of: ({ parameters }) => formatCount(parameters) },
  { name: "optimiser steps", of: ({ steps }) => formatCount(steps) },
  { name: "training positions", of: ({ positions }) => formatCount(positions) },
  { name: "optimiser and schedule", of: (_, { training }) => without(training, "seed") },
  { name: "executor", of: ({ executor }) => executor },
]

const told = (run: MatchedRun, of: (typeof CONDITIONS)[number]["of"]): string =>
  text(of(run, identityOf(run.experiment) as Identity))

const conditionsOf = (models: readonly MatchedModel[]): readonly MatchedCondition[] => {
  const conditions = CONDITIONS.map(({ name, essential = false, of }) => {
    const values = Object.fromEntries(
      models.map(({ id, seeds }) => [id, [...new Set(seeds.map((run) => told(run, of)))].join(" | ")]),
    )
    // The seeds of a model are averaged: what is essential must be one for all of them too.
    const distinct = essential
      ? new Set(models.flatMap(({ seeds }) => seeds.map((run) => told(run, of))))
      : new Set(Object.values(values))
    return { name, essential, values, agrees: distinct.size === 1 }
  })
  const seeds = Object.fromEntries(
    models.map(({ id, seeds: runs }) => [
      id,
      runs.map(({ experiment }) => experiment.training.seed).join(", "),
    ]),
  )
  return [
    ...conditions,
    { name: "seeds", essential: false, values: seeds, agrees: new Set(Object.values(seeds)).size === 1 },
  ]
}

/** `layers 2`: short values are printed, long ones only said to differ. */
const conditionSentences = (conditions: readonly MatchedCondition[]): readonly string[] => {
  const equal = conditions.filter(({ agrees }) => agrees)
  const value = ({ name, values }: MatchedCondition): string => {
    const [shown = ""] = Object.values(values)
    return shown.length <= 24 && !shown.startsWith("{") ? `${name} (${shown})` : name
  }
  return [
    ...(equal.length === 0 ? [] : [`Equal in every model: ${equal.map(value).join(", ")}.`]),
    ...conditions
      .filter(({ agrees }) => !agrees)
      .map(
        ({ name, values, essential }) =>
          `Not equal: ${name} (${Object.entries(values)
            .map(([id, shown]) => `${id}: ${shown.length <= 60 ? shown : `${shown.slice(0, 59)}…`}`)
            .join("; ")}).${essential ? " Nothing can be paired across it." : ""}`,
      ),
  ]
}

/** The evaluations that stand in the table: the tightest bound of each kind and the exact codes that have a partner. */
export const headlines = (evaluations: readonly EvaluationSummary[]): readonly EvaluationSummary[] => {
  const all = evaluations.map(({ evaluation }) => evaluation)
  return evaluations.filter(({ evaluation }) => isHeadline(evaluation, all))
}

const SHOWN = /\/(bits-per-byte|bits-per-byte-charged|as-published)$/

const modelRows = (
  model: MatchedModel,
  ratioInterval: RatioInterval,
  contracts: Record<string, unknown>,
): readonly TableRow[] => {
  const { id, seeds } = model
  const rowsOf = (run: MatchedRun): readonly TableRow[] =>
    headlines(run.evaluations).flatMap((summary) =>
      evaluationRows(
        summary,
        {
          ratioInterval,
          ...(run.publishedConstant === undefined || estimatorOf(summary)?.kind !== "discrete-elbo"
            ? {}
            : { publishedConstant: run.publishedConstant }),
        },
        isUntrained(summary, run.floors, run.evaluations[0]),
        contracts,
      ).filter((row) => SHOWN.test(row.id)),
    )
  const [first, ...others] = seeds.map(rowsOf)
  const measured = first!.map((row) => {
    const same = others.map((rows) => rows.find((each) => each.id === row.id)?.value ?? null)
    const values = [row.value, ...same].filter((value) => value !== null)
    return overSeeds(
      { ...row, id: `${id}/${row.id}`, label: `${id}, ${row.label}` },
      values.length === seeds.length ? values : [],
    )
  })
  const [{ parameters, positions }] = seeds as readonly [MatchedRun, ...MatchedRun[]]
  const fact = (
    name: string,
    label: string,
    unit: string,
    value: number | null,
    notes: readonly string[] = [],
  ): TableRow => ({
    id: `${id}/${name}`,
    group: "result",
    label: `${id}, ${label}`,
    contractId: null,
    quantity: "cost",
    unit,
    value,
    boundKind: "exact",
    interval: null,
    denominator: null,
    estimator: null,
    tokens: null,
    bytes: null,
    notes: value === null ? ["Not recorded."] : notes,
    mark: null,
    decimals: unit === "seconds" ? 1 : 0,
  })
  const times = seeds.map(({ trainingSeconds }) => trainingSeconds).filter((time) => time !== null)
  return [
    ...measured,
    ...sampleRows(model, contracts),
    fact("parameters", "parameters", "count", parameters),
    fact("positions", "training tokens", "tokens", positions, ["Positions of the network, PAD included."]),
    fact("time", "training time", "seconds", times.length === 0 ? null : summariseValues(times).mean),
  ]
}

export interface MatchedOptions {
  readonly ratioInterval: RatioInterval
}

/** @throws TableError when a run lacks its floors */
export const matched = (runs: readonly MatchedRun[], { ratioInterval }: MatchedOptions): Matched => {
  const models = modelsOf(runs)
  const conditions = conditionsOf(models)
  const firsts = runs.flatMap(({ evaluations: [first] }) => first ?? [])
  const same = firsts.every((first) => isPrefix(first, firsts[0]!) && isPrefix(firsts[0]!, first))
  const comparable =
    same && conditions.every(({ agrees, essential }) => agrees || !essential) && models.length > 1
  const found = comparable ? findings(models) : []
  const contracts: Record<string, unknown> = {}
  const [first] = runs
  const shownIds = headlines(first?.evaluations ?? []).map(({ evaluationId }) => evaluationId)
  return {
    format: "repro-matched",
    version: 1,
    conditions,
    comparable,
    findings: found,
    runs: runs.map(({ run }) => run),
    table: makeTable(
      {
        experiment: models.map(({ id }) => id).join(", "),
        title: "Matched comparison",
        profile: first?.profile ?? "",
        run: null,
        fingerprint: null,
        verdict: [
          ...models.map(({ id, title }) => `${id}: ${title}.`),
          ...conditionSentences(conditions),
          ...new Set(
            runs.map(({ profile, differences }) =>
              comparabilitySentence(
                profile,
                // Which windows are scored is said in every row; the seed, among what is equal.
                differences.filter(({ pointer }) => !/^\/(evaluations|training\/seed)/.test(pointer)),
              ),
            ),
          ),
        ],
      },
      [
        ...models.flatMap((model) => modelRows(model, ratioInterval, contracts)),
        ...allFloorRows(
          (first?.floors ?? []).filter(
            ({ targets }) => targets?.evaluations.some((id) => shownIds.includes(id)) ?? true,
          ),
          firsts[0],
        ),
      ],
      contracts,
    ),
  }
}
