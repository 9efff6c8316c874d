/** What `measure.py` wrote: read, put together where it ran several times on one machine, and turned into rows. */
import { basename } from "node:path"
import * as Schema from "effect/Schema"
import type { Verdict } from "../targets.js"

const Result = Schema.Struct({
  part: Schema.Number,
  name: Schema.String,
  /** `ok`, `failed`, or `stopped at its limit of N s`. */
  status: Schema.String,
  seconds: Schema.Number,
  errors: Schema.optionalKey(Schema.Array(Schema.String)),
  found: Schema.Record(Schema.String, Schema.Unknown),
})

const Measure = Schema.Struct({
  what: Schema.String,
  value: Schema.Union([Schema.Number, Schema.Boolean]),
  target: Schema.optionalKey(Schema.Union([Schema.Number, Schema.Boolean])),
  met: Schema.optionalKey(Schema.Boolean),
})

const BundleReport = Schema.Struct({
  format: Schema.Literal(1),
  date: Schema.String,
  /** The commit that the bundle was written from. */
  commit: Schema.NullOr(Schema.String),
  device: Schema.Literals(["cuda", "cpu"]),
  machine: Schema.Struct({
    torch: Schema.String,
    cuda: Schema.NullOr(Schema.String),
    triton: Schema.NullOr(Schema.String),
    cards: Schema.Array(Schema.String),
    memory: Schema.NullOr(Schema.Number),
    driver: Schema.NullOr(Schema.String),
    python: Schema.String,
    cores: Schema.NullOr(Schema.Number),
  }),
  minutes: Schema.Number,
  results: Schema.Array(Result),
  verdicts: Schema.optionalKey(Schema.Array(Measure)),
  notMeasured: Schema.optionalKey(Schema.Array(Schema.String)),
})
export type BundleReport = typeof BundleReport.Type
export type BundleResult = typeof Result.Type

/** @throws Error that names the file where it is no result of `measure.py` on a GPU */
export const readReport = (path: string, text: string): BundleReport => {
  let report: BundleReport
  try {
    report = Schema.decodeUnknownSync(BundleReport)(JSON.parse(text))
  } catch (cause) {
    const [first] = String((cause as Error).message).split("\n")
    throw new Error(`${path} is no result of a bundle's measure.py: ${first}`, { cause })
  }
  if (report.device !== "cuda")
    throw new Error(`${path} was measured with --cpu-smoke: run measure.py on a GPU, or leave this file out`)
  return report
}

const done = ({ status }: BundleResult): boolean => status === "ok"

/**
 * Several runs of one bundle on one machine as one report. Where a part ran twice, one that ended well is kept, else
 * the later; verdicts likewise.
 *
 * @throws Error where they are of two machines or two commits
 */
export const mergeReports = (reports: readonly BundleReport[]): BundleReport => {
  const [first, ...rest] = reports
  if (first === undefined) throw new Error("no results were given: name the files that measure.py wrote")
  for (const other of rest)
    if (other.commit !== first.commit || JSON.stringify(other.machine) !== JSON.stringify(first.machine))
      throw new Error(
        `the results are of ${origin(first)} and of ${origin(other)}: put those of each together by themselves`,
      )
  const results = new Map<string, BundleResult>()
  const verdicts = new Map<string, typeof Measure.Type>()
  for (const report of reports) {
    for (const result of report.results) {
      const known = results.get(result.name)
      if (known === undefined || done(result) || !done(known)) results.set(result.name, result)
    }
    for (const verdict of report.verdicts ?? []) verdicts.set(verdict.what, verdict)
  }
  const left = [...new Set(reports.flatMap((r) => r.notMeasured ?? []))].filter((name) => !results.has(name))
  const { notMeasured: _, ...about } = first
  return {
    ...about,
    date: reports
      .map(({ date }) => date)
      .sort()
      .at(-1)!,
    minutes: reports.reduce((sum, { minutes }) => sum + minutes, 0),
    results: [...results.values()].sort((a, b) => a.part - b.part),
    verdicts: [...verdicts.values()],
    ...(left.length === 0 ? {} : { notMeasured: left }),
  }
}

const origin = ({ machine, commit }: BundleReport): string =>
  `${machine.cards[0] ?? "no card"} at commit ${commit ?? "unknown"}`

/** Name of the file that a report is kept in: `2026-11-28-nvidia-h200-9674986.json`. */
export const reportFile = ({ date, machine, commit }: BundleReport): string =>
  basename(
    `${date}-${(machine.cards[0] ?? "gpu").toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}-${commit ?? "unknown"}.json`,
  )

/** What is held against a target, and how it is written. */
const TARGETS: readonly {
  readonly what: string
  readonly goal: string
  readonly show: (value: number) => string
}[] = [
  ...[
    ["MDLM step, same batch, times the published", ">= 2.5x"],
    ["MDLM step, best batch, times the published at 8", ">= 2.5x"],
  ].map(([what, goal]) => ({ what: what!, goal: goal!, show: (value: number) => `${value.toFixed(2)}x` })),
  {
    what: "MDLM model FLOPs utilisation at the best batch",
    goal: ">= 47 %",
    show: (value) => `${(100 * value).toFixed(1)} %`,
  },
  ...["ELBO, times the published", "left to right, times the published"].map((what) => ({
    what,
    goal: ">= 3x",
    show: (value: number) => `${value.toFixed(1)}x`,
  })),
]

const SAME_BITS = "two runs end with the same bits"

/** The lines of the table of targets; a goal whose parts were not reached says so. */
export const bundleVerdicts = (report: BundleReport | undefined): readonly Verdict[] => {
  const measuredAs =
    report === undefined ? "bundle" : `${report.machine.cards[0]}, bundle of ${report.commit}`
  const find = (what: string) => report?.verdicts?.find((verdict) => verdict.what === what)
  const missing = (what: string, target: string): Verdict => ({
    what: `GPU: ${what}`,
    measuredAs,
    target,
    result: "not measured",
    met: undefined,
    remark: report === undefined ? "needs a GPU" : "not reached in time",
  })
  const same = find(SAME_BITS)
  return [
    ...TARGETS.map(({ what, goal, show }): Verdict => {
      const verdict = find(what)
      if (verdict === undefined || typeof verdict.value !== "number" || typeof verdict.target !== "number")
        return missing(what, goal)
      const met = verdict.value >= verdict.target
      return {
        what: `GPU: ${what}`,
        measuredAs,
        target: goal,
        result: show(verdict.value),
        met,
        remark: met ? "" : `missed by ${(100 * (1 - verdict.value / verdict.target)).toFixed(0)} %`,
      }
    }),
    same === undefined
      ? missing(SAME_BITS, "yes")
      : {
          what: `GPU: ${SAME_BITS}`,
          measuredAs,
          target: "yes",
          result: same.value === true ? "yes" : "no",
          met: same.value === true,
          remark: "",
        },
  ]
}
