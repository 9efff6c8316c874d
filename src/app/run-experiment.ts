/** One decoded experiment from its data to its table, with weights that are trained here or given. */
import { availableParallelism, totalmem } from "node:os"
import type { ResultsTable } from "../analysis/table.js"
import { checkCorpus, loadCorpus, prepareCorpus, type LoadedCorpus } from "../data/corpora/corpus.js"
import { contentOf, digestsOf } from "../data/corpora/identity.js"
import { corpusPart } from "../data/corpora/index.js"
import { requireBoundaries } from "../data/corpora/special-ids.js"
import { fetchMeasured } from "../evaluators/evaluate.js"
import { openExecutor, type Choice } from "../engine/choose.js"
import { cacheDirectory } from "../files/sources.js"
import { makePlan } from "../plan/plan.js"
import { createRun, openRun, readRun, type Run, type RunReader } from "../run/directory.js"
import type { Display } from "../run/display.js"
import type { Json } from "../run/events.js"
import { dataChanges, isRunOf, wantedFingerprint } from "../run/identity.js"
import type { RunManifest } from "../run/manifest.js"
import { collectProvenance } from "../run/provenance.js"
import type { DataContent } from "../spec/content.js"
import type { LoadedSpec } from "../spec/spec-file.js"
import { beginningChanges, type BeganFrom } from "../run/began-from.js"
import { fetchBeginning, findBeginning } from "./beginning.js"
import { dataWarnings, describeContent } from "./data-words.js"
import { execute } from "./execute.js"
import { identified, type GivenWeights } from "./given-weights.js"
import { heldWeights } from "./held-weights.js"
import { UsageError } from "./outcome.js"
import { describePrepareEvents } from "./prepare-events.js"
import type { Session } from "./session.js"
import { trainRun } from "./train-run.js"

export interface ExperimentJob {
  /** Its text is kept in the manifest. */
  readonly spec: LoadedSpec
  readonly choice: Choice
  /** Folder that holds the runs. */
  readonly runs: string
  readonly display: Display
  /** True once the user asked to stop; the run then ends after the step in progress. */
  readonly stopping: () => boolean
  /** Aborted at the same time: ends a download. */
  readonly signal?: AbortSignal
  /** Folder of the run to go on with; a new one is made when absent. */
  readonly resume?: string
  /** Measured instead of training any; the data must then lie here already. */
  readonly given?: GivenWeights
  /** A finished run of the spec that this one begins from. */
  readonly parent?: RunReader
}

export type RanExperiment =
  | { readonly finished: true; readonly run: RunReader; readonly table: ResultsTable }
  | {
      readonly finished: false
      readonly run: RunReader
      readonly step: number
      readonly totalSteps: number
    }

const prepare = async ({ spec, display, signal, given }: ExperimentJob): Promise<LoadedCorpus> => {
  const cacheDir = cacheDirectory()
  const { data } = spec.experiment
  if (given !== undefined) return loadCorpus(data, { cacheDir })
  const { ready } = await checkCorpus(data, { cacheDir })
  if (!ready) display.log(`Fetching data from ${corpusPart(data.corpus).from(data.corpus)} into ${cacheDir}.`)
  const onEvent = describePrepareEvents(display)
  try {
    const how = { onEvent, ...(signal === undefined ? {} : { signal }) }
    const corpus = await prepareCorpus(data, { cacheDir, ...how })
    await fetchMeasured(spec.experiment, {
      ...how,
      prepared: { experiment: spec.experiment, corpus, cacheDir },
    })
    return corpus
  } finally {
    display.end()
  }
}

/**
 * The run to go on with is of this experiment and rests on the data as they are.
 * @throws UsageError with what differs and the cure
 */
const requireSame = (
  manifest: RunManifest,
  { spec, given }: ExperimentJob,
  content: DataContent,
  began: BeganFrom | undefined,
): void => {
  const wanted = identified(wantedFingerprint({ spec, content }), spec.differences, given).fingerprint
  const { init } = spec.experiment
  const { init: was } = manifest.experiment as { readonly init?: typeof init }
  if (
    init !== undefined &&
    was !== undefined &&
    "run" in init &&
    "run" in was &&
    init.run === was.run &&
    init.fingerprint !== was.fingerprint
  )
    throw new UsageError(
      `the run ${manifest.id} began from ${was.run} as ${was.fingerprint ?? "unknown"}, and that spec is now ${init.fingerprint ?? "unknown"}. Put ${was.run} back as it was, or start a new run without --resume`,
    )
  if (!isRunOf(manifest, spec) && manifest.fingerprint !== wanted)
    throw new UsageError(
      `the run ${manifest.id} is of another experiment (${manifest.spec}, profile ${manifest.profile}, ${manifest.fingerprint}); give its spec and profile, or start a new run without --resume`,
    )
  const changes = dataChanges(manifest, spec.experiment, content)
  if (changes.length > 0)
    throw new UsageError(
      `the run ${manifest.id} was begun on other data: ${changes.join("; ")}. Put the data back that it was begun on, or start a new run without --resume`,
    )
  const other = beginningChanges(manifest.began, began)
  if (other.length > 0)
    throw new UsageError(
      `the run ${manifest.id} stands on other weights: ${other.join("; ")}. Put them back, or start a new run without --resume`,
    )
}

const openOrCreate = async (
  { spec, choice, runs, resume, given }: ExperimentJob,
  version: string,
  began: BeganFrom | undefined,
  content: () => Promise<DataContent>,
): Promise<Run> => {
  if (resume !== undefined) return openRun(resume)
  const data = await content()
  return createRun(runs, {
    spec: spec.experiment.id,
    profile: spec.profile,
    specText: spec.text,
    experiment: spec.experiment as unknown as Json,
    plan: makePlan(spec, { cores: availableParallelism(), memory: totalmem() }) as unknown as Json,
    ...(spec.settings === undefined ? {} : { settings: spec.settings }),
    data,
    ...(began === undefined ? {} : { began }),
    ...identified(wantedFingerprint({ spec, content: data }), spec.differences, given),
    provenance: await collectProvenance(spec.file, {
      name: choice.engine,
      version,
      precision: choice.options.precision,
      device: choice.options.device,
      threads: choice.options.threads,
    }),
  })
}

/** Prepares the data, opens the executor and makes (or opens, to resume) the run directory. */
export const openExperiment = async (job: ExperimentJob): Promise<Session> => {
  const { spec, choice, display, stopping, resume, given, parent, signal } = job
  const { experiment } = spec
  const corpus = await prepare(job)
  const onEvent = describePrepareEvents(display)
  if (given === undefined)
    await fetchBeginning(experiment, { onEvent, ...(signal === undefined ? {} : { signal }) })
  const beginning = given === undefined ? await findBeginning(experiment, parent) : undefined
  const began = beginning?.began ?? given?.began
  if (resume !== undefined) requireSame((await readRun(resume)).manifest, job, digestsOf(corpus), began)
  await requireBoundaries(experiment, corpus, given === undefined ? undefined : ["validation"])
  const executor = await openExecutor(choice)
  display.log(`Engine ${choice.engine} ${executor.version}, ${choice.options.precision}: ${choice.reason}.`)
  try {
    const run = await openOrCreate(job, executor.version, began, () => contentOf(corpus))
    for (const notice of run.notices) display.warn(notice)
    for (const notice of dataWarnings(experiment, run.manifest.data)) display.warn(notice)
    const { executor: begunWith } = run.manifest.provenance
    if (begunWith.name !== choice.engine || begunWith.precision !== choice.options.precision)
      display.warn(
        `This run was begun with ${begunWith.name}, ${begunWith.precision}; from here on its numbers differ from an uninterrupted run's by rounding. Give --engine ${begunWith.name} --precision ${begunWith.precision} for the same bits.`,
      )
    display.log(`Data: ${describeContent(digestsOf(corpus))}.`)
    if (began?.parent !== undefined) display.log(`It begins with the weights of ${began.parent.run}.`)
    display.log(`Run ${run.manifest.id} in ${run.directory}.`)
    if (given !== undefined && resume === undefined) await run.append({ type: "notice", text: given.notice })
    const judges = { judges: spec.judges, runs: job.runs }
    return { run, experiment, corpus, executor, choice, display, stopping, beginning, judges }
  } catch (error) {
    await executor.dispose()
    throw error
  }
}

/** Trains where no weights are given, and measures; closes the run and the executor in any case. */
export const executeExperiment = async (
  session: Session,
  { given }: Pick<ExperimentJob, "given">,
): Promise<RanExperiment> => {
  const { run } = session
  let reached = { step: given?.step ?? 0, totalSteps: given?.step ?? 0 }
  const table = await execute(session, async () => {
    if (given !== undefined) return { ...given, held: await heldWeights(session, given.base) }
    const { parameters, held, ...came } = await trainRun(session)
    reached = came
    return parameters && { parameters, step: came.step, held }
  })
  return table === undefined ? { finished: false, run, ...reached } : { finished: true, run, table }
}

export const runExperiment = async (job: ExperimentJob): Promise<RanExperiment> =>
  executeExperiment(await openExperiment(job), job)
