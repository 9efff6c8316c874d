/** Runs one decoded experiment: data, executor, run directory, training, evaluations, floors, table. */
import { availableParallelism, totalmem } from "node:os"
import { checkCorpus, prepareCorpus, type LoadedCorpus } from "../data/corpora/corpus.js"
import { corpusPart } from "../data/corpora/index.js"
import { contentOf, digestsOf } from "../data/corpora/identity.js"
import { cacheDirectory } from "../files/sources.js"
import { requireBoundaries } from "../data/corpora/special-ids.js"
import { openExecutor, type Choice } from "../engine/choose.js"
import type { Executor } from "../engine/executor.js"
import { makePlan } from "../plan/plan.js"
import { runTable } from "../analysis/run-table.js"
import type { ResultsTable } from "../analysis/table.js"
import { createRun, openRun, readRun, type Run, type RunReader } from "../run/directory.js"
import type { Display } from "../run/display.js"
import type { Json } from "../run/events.js"
import { executeRun } from "./execute.js"
import { measureFloors } from "../run/floors.js"
import { dataChanges, isRunOf, wantedFingerprint } from "../run/identity.js"
import type { RunManifest } from "../run/manifest.js"
import { collectProvenance } from "../run/provenance.js"
import type { DataContent } from "../spec/content.js"
import type { LoadedSpec } from "../spec/spec-file.js"
import { beginningChanges, type BeganFrom } from "../run/began-from.js"
import { fetchBeginning, findBeginning, type Beginning } from "./beginning.js"
import { unknownClaimNotes } from "./claims.js"
import { dataWarnings, describeContent } from "./data-words.js"
import { publishedClaims } from "./run-results.js"
import { UsageError } from "./outcome.js"
import { describePrepareEvents } from "./prepare-events.js"

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
  /** A finished run of the spec that this one begins from. */
  readonly parent?: RunReader
}

/** A run that this process may write, with what it needs to go on. */
export interface OpenedExperiment {
  readonly run: Run
  readonly corpus: LoadedCorpus
  readonly executor: Executor
  readonly beginning: Beginning | undefined
}

export type RanExperiment =
  | { readonly finished: true; readonly run: RunReader; readonly table: ResultsTable }
  | {
      readonly finished: false
      readonly run: RunReader
      readonly step: number
      readonly totalSteps: number
    }

const prepare = async ({ spec, display, signal }: ExperimentJob): Promise<LoadedCorpus> => {
  const cacheDir = cacheDirectory()
  const { corpus } = spec.experiment.data
  const { ready } = await checkCorpus(spec.experiment.data, { cacheDir })
  if (!ready) {
    display.log(`Fetching data from ${corpusPart(corpus).from(corpus)} into ${cacheDir}.`)
  }
  const onEvent = describePrepareEvents(display)
  try {
    return await prepareCorpus(spec.experiment.data, {
      cacheDir,
      onEvent,
      ...(signal === undefined ? {} : { signal }),
    })
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
  { spec }: ExperimentJob,
  content: DataContent,
  began: BeganFrom | undefined,
): void => {
  const wanted = { spec, content }
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
  if (!isRunOf(manifest, spec) && manifest.fingerprint !== wantedFingerprint(wanted))
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
  { spec, choice, runs, resume }: ExperimentJob,
  version: string,
  began: BeganFrom | undefined,
  content: () => Promise<DataContent>,
): Promise<Run> => {
  if (resume !== undefined) return openRun(resume)
  const data = await content()
  return createRun(runs, {
    spec: spec.experiment.id,
    profile: spec.profile,
    fingerprint: wantedFingerprint({ spec, content: data }),
    specText: spec.text,
    experiment: spec.experiment as unknown as Json,
    plan: makePlan(spec, { cores: availableParallelism(), memory: totalmem() }) as unknown as Json,
    differences: spec.differences,
    ...(spec.settings === undefined ? {} : { settings: spec.settings }),
    data,
    ...(began === undefined ? {} : { began }),
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
export const openExperiment = async (job: ExperimentJob): Promise<OpenedExperiment> => {
  const { spec, choice, display, resume, parent, signal } = job
  const corpus = await prepare(job)
  await fetchBeginning(spec.experiment, {
    onEvent: describePrepareEvents(display),
    ...(signal === undefined ? {} : { signal }),
  })
  const beginning = await findBeginning(spec.experiment, parent)
  if (resume !== undefined)
    requireSame((await readRun(resume)).manifest, job, digestsOf(corpus), beginning?.began)
  await requireBoundaries(spec.experiment, corpus)
  const executor = await openExecutor(choice)
  display.log(`Engine ${choice.engine} ${executor.version}, ${choice.options.precision}: ${choice.reason}.`)
  try {
    const run = await openOrCreate(job, executor.version, beginning?.began, () => contentOf(corpus))
    for (const notice of run.notices) display.warn(notice)
    for (const notice of dataWarnings(spec.experiment, run.manifest.data)) display.warn(notice)
    const { executor: begunWith } = run.manifest.provenance
    if (begunWith.name !== choice.engine || begunWith.precision !== choice.options.precision)
      display.warn(
        `This run was begun with ${begunWith.name}, ${begunWith.precision}; from here on its numbers differ from an uninterrupted run's by rounding. Give --engine ${begunWith.name} --precision ${begunWith.precision} for the same bits.`,
      )
    display.log(`Data: ${describeContent(digestsOf(corpus))}.`)
    if (beginning?.began.parent !== undefined)
      display.log(`It begins with the weights of ${beginning.began.parent.run}.`)
    display.log(`Run ${run.manifest.id} in ${run.directory}.`)
    return { run, corpus, executor, beginning }
  } catch (error) {
    await executor.dispose()
    throw error
  }
}

/** Trains, evaluates, measures the floors and writes the table; closes the run and the executor in any case. */
export const executeExperiment = async (
  { run, corpus, executor, beginning }: OpenedExperiment,
  { spec: { experiment }, choice, display, stopping }: ExperimentJob,
): Promise<RanExperiment> => {
  try {
    const outcome = await executeRun({
      run,
      experiment,
      corpus,
      executor,
      choice,
      display,
      stopping,
      beginning,
    })
    if (!outcome.finished) return { ...outcome, finished: false, run }
    await measureFloors({ run, experiment, corpus, display })
    for (const note of await unknownClaimNotes(run)) display.warn(note)
    const table = await runTable(run, await publishedClaims(run))
    await run.writeResults(table)
    await run.append({ type: "finished" })
    return { finished: true, run, table }
  } catch (error) {
    await run
      .append({ type: "failed", message: error instanceof Error ? error.message : String(error) })
      .catch(() => undefined)
    throw error
  } finally {
    await run.close()
    await executor.dispose()
  }
}

export const runExperiment = async (job: ExperimentJob): Promise<RanExperiment> =>
  executeExperiment(await openExperiment(job), job)
