import { damagedRuns, listRuns, type RunSummary } from "../run/list.js"
import { SpecError } from "../spec/spec-error.js"
import { loadSpec } from "../spec/spec-file.js"
import { knownClaims } from "./claims.js"
import { specFiles } from "./locate.js"
import { columns } from "./text.js"
import type { Outcome } from "./outcome.js"

/** Specs and runs. */
export const list = async (): Promise<Outcome> => {
  const known = await knownClaims()
  const specs = await Promise.all((await specFiles()).map((file) => describeSpec(file, known)))
  const runs = await listRuns("runs")
  const damaged = await damagedRuns("runs")
  const specRows = specs.map(({ file, profiles, title }) => [file, profiles.join(", "), title])
  const runRows = runs.map((run: RunSummary) => [
    run.id,
    run.status,
    run.spec,
    run.profile,
    `step ${run.step}`,
  ])
  return {
    text: [
      specs.length === 0 ? "No specs here." : columns([["SPEC", "PROFILES", "TITLE"], ...specRows]),
      "",
      runs.length === 0
        ? "No runs yet: `repro run mdlm_eos --profile ci` makes one."
        : columns([["RUN", "STATUS", "SPEC", "PROFILE", "PROGRESS"], ...runRows]),
    ].join("\n"),
    json: { specs, runs, damaged },
    notes: [
      ...runs.flatMap(({ id, damagedLines }) =>
        damagedLines === undefined
          ? []
          : [
              `${id}: line ${damagedLines[0]} of its events.ndjson is not an event${damagedLines.length === 1 ? "" : ` (and ${damagedLines.length - 1} more)`}; \`repro verify ${id}\` says what else is wrong.`,
            ],
      ),
      ...damaged.map(({ problem }) => problem),
    ],
  }
}

const describeSpec = async (file: string, known: ReadonlySet<string>) => {
  try {
    const { experiment, profiles, fingerprint } = await loadSpec(file, "paper", known)
    return {
      file,
      id: experiment.id,
      title: experiment.title,
      profiles,
      fingerprint,
      claims: experiment.claims,
    }
  } catch (error) {
    if (!(error instanceof SpecError)) throw error
    const title = `invalid: \`repro validate ${file}\` says why`
    return { file, id: null, title, profiles: [], fingerprint: null, claims: [] }
  }
}
