/** The results table of scored generations: one row a grader, each with the contract of its number. */
import { basename } from "node:path"
import { contractDigest } from "../../metric/contract/digest.js"
import { CONTRACT_VERSION, NOT_STATED, type Contract } from "../../metric/contract/contract.js"
import { claimRows } from "../../analysis/claim-rows.js"
import { makeTable, type ResultsTable, type TableRow } from "../../analysis/table.js"
import type { ResolvedClaim } from "../../spec/claim.js"
import { FORMATS } from "../../tasks/generations/formats.js"
import type { Grader } from "../../tasks/task.js"
import type { Scored } from "./grade.js"
import { LEVEL, type Figure } from "./summary.js"

const number = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isInteger(value) && value > 0 ? value : undefined

/** What the number means, as far as the files say. */
export const contractOfScore = (scored: Scored, { k, items }: Figure, grader: Grader<unknown>): Contract => {
  const { task, set, files } = scored
  const steps = new Set(files.map(({ about }) => number(about["diffusion_steps"])))
  const [one] = steps
  return {
    version: CONTRACT_VERSION,
    title: `${task.title}, ${grader.title}`,
    quantity: task.quantity,
    unit: "percent",
    event: "task-items",
    bound: "estimate",
    estimator: {
      kind: "graded-generation",
      attempts: k,
      samplingSteps: steps.size === 1 && one !== undefined ? one : NOT_STATED,
      shots: NOT_STATED,
      decoding: NOT_STATED,
    },
    denominator: { kind: "items", items, source: "items with a generation" },
    window: NOT_STATED,
    specials: NOT_STATED,
    sideInformation: NOT_STATED,
    data: {
      dataset: set?.name ?? NOT_STATED,
      split: set?.split ?? NOT_STATED,
      slice: set === undefined ? NOT_STATED : items === set.items.length ? "all" : "items with a generation",
      coverage: set === undefined ? NOT_STATED : items / set.items.length,
      export: set === undefined ? NOT_STATED : `sha256:${set.sha256}`,
    },
    tokenizer: NOT_STATED,
    reduction: "ratio-of-sums",
    grader: grader.rule,
    selection: NOT_STATED,
    precision: NOT_STATED,
    seeds: NOT_STATED,
  }
}

const share = (count: number, of: number): string => `${count} (${((100 * count) / of).toFixed(2)} %)`

const notesOf = (figure: Figure): readonly string[] => {
  const { failures, near, clustered, generations, right, k } = figure
  const parts = (
    [
      ["unextracted", failures.unextracted],
      ["timed out", failures["timed-out"]],
      ["program failed", failures.error],
      ["unscorable, in the denominator", failures.unscorable],
    ] as const
  ).filter(([, count]) => count > 0)
  return [
    ...(k === 1 ? [`${right} of ${generations} generations right.`] : []),
    ...(k > 1 || parts.length === 0
      ? []
      : [`${parts.map(([name, count]) => `${name} ${share(count, generations)}`).join(", ")}.`]),
    ...(clustered === undefined
      ? []
      : [
          `Standard error with items of one cluster agreeing: ${(100 * clustered.standardError).toFixed(2)} points over ${clustered.clusters} clusters.`,
        ]),
    ...(k > 1 || near.length === 0
      ? []
      : [
          `${near.length} near or over the time limit, of which ${near.filter((each) => each.correctAtTwice).length} pass with twice of it: ${near
            .slice(0, 5)
            .map(({ item }) => item)
            .join(", ")}${near.length > 5 ? ", ..." : ""}.`,
        ]),
  ]
}

const scale = (value: number): number => 100 * value

export const scoreTable = (
  scored: Scored,
  figures: readonly Figure[],
  claims: readonly ResolvedClaim[],
): ResultsTable => {
  const { task, set, files, columns } = scored
  const contracts: Record<string, unknown> = {}
  const rows = figures.map((figure): TableRow => {
    const { grader } = columns.find((column) => column.grader.id === figure.grader)!
    const contract = contractOfScore(scored, figure, grader)
    const digest = contractDigest(contract)
    contracts[digest] = contract
    return {
      id: `score/${task.id}/${grader.id}${figure.k === 1 ? "" : `/pass@${figure.k}`}`,
      group: grader.published === undefined ? "result" : "as published",
      label: `${grader.id}: ${grader.title}${figure.k === 1 ? "" : `, pass@${figure.k}`}`,
      contractId: digest,
      quantity: task.quantity,
      unit: "percent",
      value: scale(figure.value),
      boundKind: "estimate",
      interval: { low: scale(figure.low), high: scale(figure.high), level: LEVEL, method: figure.method },
      denominator: { kind: "items", total: figure.items, unit: "items" },
      estimator: "graded-generation",
      tokens: null,
      bytes: null,
      notes: notesOf(figure),
      mark: null,
      decimals: 2,
    }
  })
  const published = claimRows(claims)
  const items = figures[0]?.items ?? 0
  const data =
    set === undefined
      ? `${items} items, graded with the answers that the files carry; whether that is the whole test set is not stated.`
      : `${items} of the ${set.items.length} items of ${set.name}${set.published ? " (digest of the published set)" : `, which is not the published ${task.published?.name ?? task.title}`}.`
  return makeTable(
    {
      experiment: task.id,
      title: `${task.title}: ${files.map(({ path }) => basename(path)).join(", ")}`,
      profile: files[0]?.format === undefined ? "stored generations" : FORMATS[files[0].format],
      run: null,
      fingerprint: null,
      verdict: [data],
      headings: { result: "Graded", "as published": "Graded by published rules" },
    },
    [...rows, ...published.rows],
    { ...contracts, ...published.contracts },
  )
}
