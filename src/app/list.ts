import { basename, join } from "node:path"
import { headlineOf, headlineValue } from "../report/headline.js"
import type { TableRow } from "../analysis/table.js"
import { readRun } from "../run/directory.js"
import { damagedRuns, listRuns, type RunSummary } from "../run/list.js"
import { nearest } from "../spec/nearest.js"
import { SpecError } from "../spec/spec-error.js"
import { loadSpec } from "../spec/spec-file.js"
import { knownClaims } from "./claims.js"
import { openLedgers } from "./ledger.js"
import { claimsText, findClaims, type ListedClaim } from "./list-claims.js"
import { specFiles } from "./locate.js"
import { UsageError, type Outcome } from "./outcome.js"
import { resultsOf } from "./run-results.js"
import { runsFlag } from "./resume-advice.js"
import { columns } from "./text.js"

export const LISTED = ["specs", "runs", "claims"] as const

export interface ListOptions {
  /** One of {@link LISTED}; specs and runs when absent. */
  readonly what?: string | undefined
  /** Each is in what is listed. */
  readonly words?: readonly string[]
  readonly runs?: string
  /** Claims of one's own, a file or a folder, beside those that come with the program. */
  readonly claims?: string | undefined
}

interface ListedSpec {
  readonly file: string
  /** null: the file is no valid spec. */
  readonly id: string | null
  readonly title: string
  readonly profiles: readonly string[]
  readonly fingerprint: string | null
  readonly claims: readonly string[]
}

interface ListedRun extends RunSummary {
  /** null where the run's manifest does not say. */
  readonly seed: number | null
  /** What its table opens with; null before there are results. */
  readonly headline: {
    readonly label: string
    readonly value: number
    readonly unit: string
    readonly boundKind: string
    /** With the mark of its bound, at the precision that its interval leaves. */
    readonly shown: string
  } | null
}

const describeSpec = async (file: string, known: ReadonlySet<string>): Promise<ListedSpec> => {
  try {
    const { experiment, profiles, fingerprint } = await loadSpec(file, "paper", known)
    const { id, title, claims } = experiment
    return { file, id, title, profiles, fingerprint, claims }
  } catch (error) {
    if (!(error instanceof SpecError)) throw error
    const title = `invalid: \`repro validate ${file}\` says why`
    return { file, id: null, title, profiles: [], fingerprint: null, claims: [] }
  }
}

const headlineRow = (row: TableRow, label: string): ListedRun["headline"] => ({
  label,
  value: row.value!,
  unit: row.unit,
  boundKind: row.boundKind,
  shown: headlineValue(row),
})

/** The seed and the first figure of a run; what cannot be read is left out here and told by the command that reads it. */
const describeRun = async (root: string, summary: RunSummary): Promise<ListedRun> => {
  const none = { ...summary, seed: null, headline: null }
  try {
    const run = await readRun(join(root, summary.id))
    const { experiment } = run.manifest as {
      readonly experiment: { readonly training?: { readonly seed?: unknown } }
    }
    const given = experiment.training?.seed
    const seed = typeof given === "number" ? given : null
    const table = await resultsOf(run).catch(() => undefined)
    if (table === undefined) return { ...none, seed }
    const first = headlineOf(table)?.rows.find(({ main }) => main.value !== null)
    const row = table.rows.find(({ group, value }) => group === "result" && value !== null)
    const headline =
      first !== undefined
        ? headlineRow(first.main, first.label)
        : row === undefined
          ? null
          : headlineRow(row, row.label)
    return { ...summary, seed, headline }
  } catch {
    return none
  }
}

const has = (words: readonly string[], ...texts: readonly string[]): boolean => {
  const text = texts.join(" ").toLowerCase()
  return words.every((word) => text.includes(word.toLowerCase()))
}

const specsText = (specs: readonly ListedSpec[]): string =>
  specs.length === 0
    ? "No specs here."
    : columns([
        ["SPEC", "PROFILES", "TITLE"],
        ...specs.map(({ file, profiles, title }) => [file, profiles.join(", "), title]),
      ])

const runsText = (runs: readonly ListedRun[], words: readonly string[]): string =>
  runs.length === 0
    ? words.length > 0
      ? "No run is called so."
      : "No runs yet: `repro run mdlm_eos --profile ci` makes one."
    : columns([
        ["RUN", "STATE", "SEED", "STARTED", "STEP", "RESULT"],
        ...runs.map(({ id, status, seed, started, step, headline }) => [
          id,
          status,
          seed === null ? "" : String(seed),
          started.slice(0, 16).replace("T", " "),
          String(step),
          headline === null ? "" : `${headline.shown} ${headline.unit} (${headline.label})`,
        ]),
      ])

const runNotes = (runs: readonly ListedRun[], root: string): readonly string[] =>
  runs.flatMap(({ id, damagedLines }) =>
    damagedLines === undefined
      ? []
      : [
          `${id}: line ${damagedLines[0]} of its events.ndjson is not an event${damagedLines.length === 1 ? "" : ` (and ${damagedLines.length - 1} more)`}; \`repro verify ${id}${runsFlag(root)}\` says what else is wrong.`,
        ],
  )

/** Specs, runs or claims: those that have every word. */
export const list = async (options: ListOptions = {}): Promise<Outcome> => {
  const { what, words = [], runs: root = "runs", claims: given } = options
  if (what !== undefined && !(LISTED as readonly string[]).includes(what)) {
    const near = nearest(what, LISTED)
    throw new UsageError(
      `list ${what}: what is listed is one of ${LISTED.join(", ")}.${near === undefined ? "" : ` Did you mean ${near}?`} Words to look for come after it, such as \`repro list claims ${what}\`.`,
    )
  }
  const wants = (each: (typeof LISTED)[number]): boolean =>
    what === undefined ? each !== "claims" || given !== undefined : what === each
  const ledger = await openLedgers(given)
  const claims: readonly ListedClaim[] = wants("claims") ? findClaims(ledger, words) : []
  const known = await knownClaims()
  const specs = !wants("specs")
    ? []
    : (await Promise.all((await specFiles()).map((file) => describeSpec(file, known)))).filter(
        ({ file, id, title }) => has(words, basename(file), id ?? "", title),
      )
  const runs = !wants("runs")
    ? []
    : (await Promise.all((await listRuns(root)).map((run) => describeRun(root, run)))).filter((run) =>
        has(words, run.id, run.status, run.spec, run.profile),
      )
  const damaged = wants("runs") ? await damagedRuns(root) : []
  return {
    text: [
      ...(wants("specs") ? [specsText(specs)] : []),
      ...(wants("runs") ? [runsText(runs, words)] : []),
      ...(wants("claims") ? [claimsText(claims, words)] : []),
      ...(what === undefined && given === undefined
        ? [`${ledger.claims.size} published figures: \`repro list claims\`, or with words to look for.`]
        : []),
    ].join("\n\n"),
    json: {
      ...(wants("specs") ? { specs } : {}),
      ...(wants("runs") ? { runs, damaged } : {}),
      ...(wants("claims") ? { claims } : {}),
    },
    notes: [
      ...(given === undefined ? [] : (ledger.remarks ?? [])),
      ...runNotes(runs, root),
      ...damaged.map(({ problem }) => problem),
    ],
    ...(words.length > 0 && specs.length + runs.length + claims.length === 0 ? { exitCode: 3 } : {}),
  }
}
