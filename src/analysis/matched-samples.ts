/** Sampled texts of the models of a comparison: rows of one table, and their quality against what they cost. */
import type { ItemSummary } from "../evaluators/summary.js"
import { itemRows } from "./item-rows.js"
import type { LadderPlot, LadderPoint } from "./ladder-plot.js"
import type { MatchedModel } from "./matched-model.js"
import { overSeeds } from "./over-seeds.js"
import type { TableRow } from "./table.js"

/** Perplexity never stands without entropy, lengths and what the texts cost. */
const SHOWN =
  /\/(generative-perplexity-[a-z-]+|entropy|entropy-bits|entropy-judge|mean-length|length-ks|length-wasserstein|empty|capped|broken|forwards|seconds)$/

const isOfTexts = ({ item, evaluation }: ItemSummary): boolean =>
  item === "text" && evaluation.kind === "samples"

/** The rows of every evaluation of texts, means over the seeds of a model. */
export const sampleRows = (
  { id, seeds }: MatchedModel,
  contracts: Record<string, unknown>,
): readonly TableRow[] => {
  const [first, ...others] = seeds.map(({ items = [] }) =>
    items.filter(isOfTexts).flatMap((summary) => itemRows(summary, contracts)),
  )
  return first!
    .filter((row) => SHOWN.test(row.id))
    .map((row) => {
      const values = [
        row.value,
        ...others.map((rows) => rows.find((each) => each.id === row.id)?.value ?? null),
      ].filter((value) => value !== null)
      return overSeeds(
        { ...row, id: `${id}/${row.id}`, label: `${id}, ${row.label}` },
        values.length === seeds.length ? values : [],
      )
    })
}

const QUALITIES = [
  ["generative-perplexity-corpus", "Generative perplexity, all tokens, unfiltered", "ppl"],
  ["entropy", "Unigram entropy within a text, generator's tokens", "nats"],
  ["length-wasserstein", "Wasserstein distance of lengths to the data's", "tokens"],
] as const
const COSTS = [
  ["forwards", "forward passes a text"],
  ["seconds", "seconds a text"],
] as const

/** The name of an evaluation without its number of steps: those of one name are one curve. */
const curveOf = (evaluation: string): string => evaluation.replace(/-\d+$/, "")

/** Quality against cost, a picture for each pair of them that two evaluations have. */
export const sampleCurves = (models: readonly MatchedModel[]): readonly LadderPlot[] => {
  const contracts: Record<string, unknown> = {}
  const rows = models.map((model) => ({ id: model.id, rows: sampleRows(model, contracts) }))
  return COSTS.flatMap(([cost, costWords]) =>
    QUALITIES.flatMap(([quality, title, unit]): readonly LadderPlot[] => {
      const points = rows.flatMap(({ id, rows: own }) =>
        own
          .filter((row) => row.id.endsWith(`/${quality}`) && row.value !== null)
          .flatMap((row): readonly LadderPoint[] => {
            const evaluation = row.id.slice(id.length + 1, -quality.length - 1)
            const paid = own.find((each) => each.id === `${id}/${evaluation}/${cost}`)?.value ?? null
            if (paid === null || paid <= 0) return []
            return [
              {
                label: evaluation,
                cost: paid,
                value: row.value!,
                ...(row.interval === null ? {} : { low: row.interval.low, high: row.interval.high }),
                boundKind: row.boundKind,
                series: id,
                curve: `${id}/${curveOf(evaluation)}`,
              },
            ]
          }),
      )
      return points.length < 2
        ? []
        : [{ title: `${title}, against ${costWords}`, cost: costWords, unit, points }]
    }),
  )
}
