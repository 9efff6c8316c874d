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
  /** When it was last written, ISO 8601. */
  ended: Schema.optionalKey(Schema.String),
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
  const ended = reports.flatMap((report) => report.ended ?? []).sort()
  const left = [...new Set(reports.flatMap((r) => r.notMeasured ?? []))].filter((name) => !results.has(name))
  const { notMeasured: _, ...about } = first
  return {
    ...about,
    date: reports
      .map(({ date }) => date)
      .sort()
      .at(-1)!,
    ...(ended.length === 0 ? {} : { ended: ended.at(-1)! }),
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

/** What is held against a target, and how both are written. */
interface Target {
  readonly what: string
  readonly goal: string
  readonly target: number
  readonly show: (value: number) => string
}

const times = (what: string, target: number): Target => ({
  what,
  goal: `>= ${target}x`,
  target,
  show: (value) => `${value.toFixed(2)}x`,
})
const share = (what: string, target: number): Target => ({
  what,
  goal: `>= ${100 * target} %`,
  target,
  show: (value) => `${(100 * value).toFixed(1)} %`,
})

const TARGETS: readonly Target[] = [
  times("MDLM step, same batch, times the published", 2.5),
  times("MDLM step, best batch, times the published at 8", 2.5),
  share("MDLM model FLOPs utilisation at the best batch", 0.47),
  times("ELBO, times the published", 3),
  times("left to right, times the published", 3),
  times("LLaDA LoRA step, times transformers with peft", 1.5),
  share("LLaDA LoRA step, model FLOPs utilisation", 0.45),
  times("LLaDA sampler's pass, times transformers", 2),
]

const SAME_BITS = "two runs end with the same bits"

/** @param reports the latest first: a goal is held against the latest that measured it; one that none did says so */
export const bundleVerdicts = (reports: readonly BundleReport[]): readonly Verdict[] => {
  const verdictOf = (
    what: string,
    goal: string,
    said: (value: number | boolean, met: boolean) => string[],
  ) => {
    const report = reports.find(({ verdicts }) => verdicts?.some((verdict) => verdict.what === what))
    const found = report?.verdicts?.find((verdict) => verdict.what === what)
    if (report === undefined || found === undefined)
      return {
        what: `GPU: ${what}`,
        measuredAs: "bundle",
        target: goal,
        result: "not measured",
        met: undefined,
        remark: reports.length === 0 ? "needs a GPU" : "not reached in time",
      }
    const met = found.met === true
    const [result, remark] = said(found.value, met)
    return {
      what: `GPU: ${what}`,
      measuredAs: `${report.machine.cards[0]}, bundle of ${report.commit}`,
      target: goal,
      result: result!,
      met,
      remark: remark ?? "",
    }
  }
  return [
    ...TARGETS.map(({ what, goal, target, show }) =>
      verdictOf(what, goal, (value, met) => [
        show(Number(value)),
        met ? "" : `missed by ${(100 * (1 - Number(value) / target)).toFixed(0)} %`,
      ]),
    ),
    verdictOf(SAME_BITS, "yes", (value) => [value === true ? "yes" : "no"]),
  ]
}
