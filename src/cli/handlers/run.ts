/** `repro run`: from a spec to a results table. */
import { availableParallelism, totalmem } from "node:os"
import { basename } from "node:path"
import * as Option from "effect/Option"
import { checkCorpus, prepareCorpus, type LoadedCorpus } from "../../data/corpus.js"
import { cacheDirectory } from "../../data/sources.js"
import {
  chooseEngine,
  findAvailable,
  openExecutor,
  type Available,
  type Choice,
  type EngineRequest,
} from "../../engine/choose.js"
import { makePlan } from "../../plan/plan.js"
import { measureFloors } from "../../run/floors.js"
import { renderTable } from "../../report/render/index.js"
import { runTable } from "../../report/run-table.js"
import { createRun, openRun, type Run } from "../../run/directory.js"
import { mayColour, openDisplay, type Display } from "../../run/display.js"
import type { Json } from "../../run/events.js"
import { executeRun } from "../../run/execute.js"
import { resolveRun } from "../../run/list.js"
import { collectProvenance } from "../../run/provenance.js"
import { decodeSpec, readSpecText, type LoadedSpec, type Profile } from "../../spec/spec-file.js"
import { chooseProfile } from "../choose-profile.js"
import { watchInterrupts } from "../interrupts.js"
import { locateSpec } from "../locate.js"
import { UsageError, type Outcome } from "../outcome.js"
import { outputWidth, publishedClaims } from "./run-results.js"
import { describePrepareEvents } from "../prepare-events.js"

export interface RunInput {
  readonly spec: string
  readonly profile: Option.Option<Profile>
  readonly resume: Option.Option<string>
  readonly engine: Option.Option<"auto" | "onnxruntime" | "tensorflow" | "torch" | "tfjs">
  readonly precision: Option.Option<"fp32" | "bf16" | "bf16-params">
  readonly device: Option.Option<"cpu" | "gpu">
  readonly threads: Option.Option<number>
  readonly runs: string
  readonly json: boolean
}

/** What the command line says, else what the spec says. */
const pick = <T>(given: Option.Option<T>, from: T | undefined): T | undefined =>
  Option.isSome(given) ? given.value : from

const requestOf = (input: RunInput, spec: LoadedSpec): EngineRequest => {
  const { execution } = spec.experiment
  const engine = pick(input.engine, execution?.engine)
  const precision = pick(input.precision, execution?.precision)
  const device = pick(input.device, execution?.device)
  const threads = pick(input.threads, execution?.threads)
  return {
    ...(engine === undefined ? {} : { engine }),
    ...(precision === undefined ? {} : { precision }),
    ...(device === undefined ? {} : { device }),
    ...(threads === undefined ? {} : { threads }),
  }
}

const prepare = async (
  spec: LoadedSpec,
  cacheDir: string,
  display: Display,
  signal: AbortSignal,
): Promise<LoadedCorpus> => {
  const { corpus } = spec.experiment.data
  const { ready } = await checkCorpus(spec.experiment.data, { cacheDir })
  if (!ready) {
    const source =
      corpus.kind === "speeches"
        ? corpus.source
        : corpus.kind === "parameter-golf"
          ? `${corpus.repository} (${corpus.trainShards} training shards of 200 MB)`
          : "the spec's files"
    display.log(`Fetching data from ${source} into ${cacheDir}.`)
  }
  const onEvent = describePrepareEvents(display)
  try {
    return await prepareCorpus(spec.experiment.data, { cacheDir, onEvent, signal })
  } finally {
    display.end()
  }
}

const openOrCreate = async (
  input: RunInput,
  spec: LoadedSpec,
  file: string,
  choice: Choice,
  version: string,
): Promise<Run> => {
  if (Option.isSome(input.resume)) {
    const run = await openRun(await resolveRun(input.runs, input.resume.value))
    if (run.manifest.fingerprint !== spec.fingerprint) {
      await run.close()
      throw new UsageError(
        `the run ${run.manifest.id} is of another experiment (${run.manifest.spec}, profile ${run.manifest.profile}, ${run.manifest.fingerprint}); give its spec and profile, or start a new run without --resume`,
      )
    }
    return run
  }
  const provenance = await collectProvenance(file, {
    name: choice.engine,
    version,
    precision: choice.options.precision,
    device: choice.options.device,
    threads: choice.options.threads,
  })
  const plan = makePlan(spec, { cores: availableParallelism(), memory: totalmem() })
  return createRun(input.runs, {
    spec: spec.experiment.id,
    profile: spec.profile,
    fingerprint: spec.fingerprint,
    specText: await readSpecText(file),
    experiment: spec.experiment as unknown as Json,
    plan: plan as unknown as Json,
    differences: spec.differences,
    provenance,
  })
}

/** The profile of the run that is resumed, unless one was given. */
const resumedProfile = async (input: RunInput): Promise<Profile | undefined> => {
  if (Option.isNone(input.resume)) return undefined
  const { readRun } = await import("../../run/directory.js")
  return (await readRun(await resolveRun(input.runs, input.resume.value))).manifest.profile as Profile
}

export const run = async (input: RunInput, display: Display = openDisplay()): Promise<Outcome> => {
  const file = await locateSpec(input.spec)
  const cacheDir = cacheDirectory()
  let found: Promise<Available> | undefined
  const available = (): Promise<Available> => (found ??= findAvailable())
  const given = Option.getOrUndefined(input.profile) ?? (await resumedProfile(input))
  let profile: Profile
  if (given === undefined) {
    const chosen = await chooseProfile(file, cacheDir, available)
    display.log(`Profile ${chosen.profile}: ${chosen.reason}.`)
    profile = chosen.profile
  } else profile = given
  const spec = decodeSpec(await readSpecText(file), file, profile)
  const request = requestOf(input, spec)
  const needsSearch =
    request.engine === undefined || request.engine === "auto"
      ? request.device === "gpu" || (request.precision ?? "fp32") !== "fp32"
      : false
  const choice = chooseEngine(
    request,
    needsSearch ? await available() : { tensorflow: false, torch: false, gpu: false },
  )
  const abort = new AbortController()
  const stop = watchInterrupts(display)
  try {
    const corpus = await prepare(spec, cacheDir, display, abort.signal)
    const executor = await openExecutor(choice)
    display.log(`Engine ${choice.engine} ${executor.version}, ${choice.options.precision}: ${choice.reason}.`)
    const opened = await openOrCreate(input, spec, file, choice, executor.version)
    try {
      for (const notice of opened.notices) display.warn(notice)
      display.log(`Run ${opened.manifest.id} in ${opened.directory}.`)
      const { experiment } = spec
      const outcome = await executeRun({
        run: opened,
        experiment,
        corpus,
        executor,
        choice,
        display,
        stopping: stop.requested,
      })
      if (!outcome.finished) {
        const how = `repro run ${input.spec} --profile ${profile} --resume ${opened.manifest.id}${input.runs === "runs" ? "" : ` --runs ${input.runs}`}`
        return {
          text: `Stopped after step ${outcome.step} of ${outcome.totalSteps}; nothing is lost.\nGo on with: ${how}`,
          json: {
            run: opened.manifest.id,
            fingerprint: spec.fingerprint,
            finished: false,
            step: outcome.step,
            totalSteps: outcome.totalSteps,
            resume: how,
          },
          exitCode: 3,
        }
      }
      await measureFloors({ run: opened, experiment, corpus, display })
      const table = await runTable(opened, await publishedClaims(opened))
      await opened.writeResults(table)
      await opened.append({ type: "finished" })
      return {
        text: renderTable(table, "terminal", {
          colour: mayColour(process.stdout, process.env),
          width: outputWidth(),
        }),
        json: {
          run: opened.manifest.id,
          directory: basename(opened.directory),
          fingerprint: spec.fingerprint,
          finished: true,
          ...table,
        },
        notes: [
          `Table again: repro table ${opened.manifest.id}. Beside the published claims: repro diff ${opened.manifest.id}.`,
        ],
      }
    } catch (error) {
      await opened
        .append({ type: "failed", message: error instanceof Error ? error.message : String(error) })
        .catch(() => undefined)
      throw error
    } finally {
      await opened.close()
      await executor.dispose()
    }
  } finally {
    stop.release()
    display.end()
  }
}
