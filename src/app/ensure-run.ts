/** One finished run for an experiment: the one that is there, else one that is gone on with, else a new one. */
import { join } from "node:path"
import { readRun, type RunReader } from "../run/directory.js"
import { RunError, runErrorFrom } from "../run/errors.js"
import { wantedFingerprint, type WantedRun } from "../run/identity.js"
import { experimentState, type ExperimentState } from "./experiment-state.js"
import { standingRuns } from "./chain-data.js"
import { UsageError } from "./outcome.js"
import type { LoadedSpec } from "../spec/spec-file.js"
import { fetchBeginning } from "./beginning.js"
import { describePrepareEvents } from "./prepare-events.js"
import { prepareTokenizer } from "../data/corpora/corpus.js"
import { cacheDirectory } from "../files/sources.js"
import type { Display } from "../run/display.js"
import { acquireLock, type Lock } from "../run/lock.js"
import { presentContent } from "./present-content.js"
import { executeExperiment, openExperiment, type ExperimentJob } from "./run-experiment.js"
import { makeFolder } from "../files/folder.js"

export type EnsuredRun =
  | { readonly state: "finished"; readonly run: RunReader; readonly how: "found" | "resumed" | "made" }
  /** The user asked to stop. */
  | { readonly state: "stopped"; readonly run: RunReader; readonly step: number; readonly totalSteps: number }
  /** Another process is at it. */
  | { readonly state: "elsewhere"; readonly reason: string }

/**
 * Held from looking for a run until the run's own lock is held, so that two processes, also on machines that share
 * the folder, never make two runs of one experiment. A sentence when another process holds it.
 */
const claim = async (runs: string, fingerprint: string): Promise<Lock | string> => {
  const folder = join(runs, ".claims", fingerprint.replace(/^.*:/, ""))
  try {
    await makeFolder(folder)
    return await acquireLock(folder, () => new Date())
  } catch (error) {
    if (error instanceof RunError && error.reason === "locked") return error.message
    throw runErrorFrom(error, folder, "claiming an experiment")
  }
}

/**
 * A finished run of `job.spec` on the data as they are is used, and nothing is repeated; a stopped or failed one is gone on with; one that
 * another live process writes is left to it; else a new one is made. `job.resume` is not looked at.
 */
export const ensureRun = async (job: ExperimentJob): Promise<EnsuredRun> => {
  const wanted: WantedRun = { spec: job.spec, content: await presentContent(job.spec.experiment.data) }
  const told = new Set<string>()
  const look = async (): Promise<ExperimentState> =>
    experimentState(
      await standingRuns(job.runs, wanted, (run, why) => {
        if (!told.has(run)) job.display.warn(`The run ${run} is not used: ${why}.`)
        told.add(run)
      }),
    )
  const settled = async (found: ExperimentState): Promise<EnsuredRun | undefined> => {
    if (found.state === "finished")
      return { state: "finished", run: await readRun(join(job.runs, found.run.id)), how: "found" }
    if (found.state === "running")
      return { state: "elsewhere", reason: `another process is writing ${found.run.id}` }
    return undefined
  }
  const before = await settled(await look())
  if (before !== undefined) return before
  const parent = await ensureParent(job)
  if (parent !== undefined && parent.state !== "finished") return parent
  const judge = await ensureJudges(job)
  if (judge !== undefined) return judge.ensured
  const begins = parent === undefined ? job : { ...job, parent: parent.run }
  const claimed = await claim(job.runs, wantedFingerprint(wanted))
  if (typeof claimed === "string") return { state: "elsewhere", reason: claimed }
  let found: ExperimentState
  let opened
  try {
    found = await look() // another process may have come and gone since
    const now = await settled(found)
    if (now !== undefined) return now
    opened = await openExperiment(
      found.state === "new" ? begins : { ...begins, resume: join(job.runs, found.run.id) },
    )
  } catch (error) {
    // A plain `repro run --resume` may take the run's lock in between.
    if (error instanceof RunError && error.reason === "locked")
      return { state: "elsewhere", reason: error.message }
    throw error
  } finally {
    await claimed.release()
  }
  const ran = await executeExperiment(opened, job)
  return ran.finished
    ? { state: "finished", run: ran.run, how: found.state === "new" ? "made" : "resumed" }
    : { state: "stopped", run: ran.run, step: ran.step, totalSteps: ran.totalSteps }
}

/**
 * A finished run of the spec that `job.spec` begins from, made where there is none; undefined where it begins from no
 * spec. Its own parents come first.
 */
export const ensureParent = async (job: ExperimentJob): Promise<EnsuredRun | undefined> => {
  const { parent } = job.spec
  const { init } = job.spec.experiment
  if (parent === undefined) {
    if (init !== undefined && "run" in init)
      throw new UsageError(
        `${job.spec.file}: ${job.spec.experiment.id} begins from ${init.run}, which was not read with it; give a spec file beside that one.`,
      )
    return undefined
  }
  const { display } = job
  display.log(
    `${job.spec.experiment.id} begins from ${parent.experiment.id}, profile ${parent.profile}: looking for its run.`,
  )
  const { resume: _resume, parent: _run, ...rest } = job
  const ensured = await ensureRun({ ...rest, spec: parent, choice: rest.choice })
  if (ensured.state === "finished") {
    const words = { found: "is there", resumed: "was finished", made: "is finished" }
    display.log(`${parent.experiment.id}: the run ${ensured.run.manifest.id} ${words[ensured.how]}.`)
  }
  return ensured
}

/** A judge that is not finished, and how far it is. */
export interface MissingJudge {
  readonly spec: LoadedSpec
  readonly ensured: Exclude<EnsuredRun, { readonly state: "finished" }>
}

/** What a judge of no steps says that it is made of, and the tokenizer that spells for it. */
export const fetchJudge = async (
  { experiment }: LoadedSpec,
  display: Display,
  signal?: AbortSignal,
): Promise<void> => {
  const options = { onEvent: describePrepareEvents(display), ...(signal === undefined ? {} : { signal }) }
  await prepareTokenizer(experiment.data, { cacheDir: cacheDirectory(), ...options })
  await fetchBeginning(experiment, options)
}

/**
 * Finished runs of the specs that judge the texts of `job.spec`, made where there are none; what a judge of no steps
 * says that it is made of is fetched.
 *
 * @returns the first that did not come to its end; undefined where all are there
 */
export const ensureJudges = async (job: ExperimentJob): Promise<MissingJudge | undefined> => {
  const { display, signal } = job
  for (const spec of new Set(job.spec.judges?.values())) {
    const { id, training } = spec.experiment
    if (training.stepsPerGroup === 0) {
      await fetchJudge(spec, display, signal)
      continue
    }
    display.log(`${job.spec.experiment.id} is judged by ${id}, profile ${spec.profile}: looking for its run.`)
    const { resume: _resume, parent: _parent, given: _given, ...rest } = job
    const ensured = await ensureRun({ ...rest, spec })
    if (ensured.state !== "finished") return { spec, ensured }
    const words = { found: "is there", resumed: "was finished", made: "is finished" }
    display.log(`${id}: the run ${ensured.run.manifest.id} ${words[ensured.how]}.`)
  }
  return undefined
}
