/** `repro eval`: evidence and table for weights that were trained elsewhere. */
import { readFile } from "node:fs/promises"
import { availableParallelism, totalmem } from "node:os"
import { basename } from "node:path"
import * as Option from "effect/Option"
import { loadCorpus, readTokens } from "../data/corpora/corpus.js"
import { fileDigest } from "../files/digest.js"
import { fromSystemError } from "../files/errors.js"
import { contentOf } from "../data/corpora/identity.js"
import { cacheDirectory } from "../files/sources.js"
import { requireBoundaries } from "../data/corpora/special-ids.js"
import { openExecutor } from "../engine/choose.js"
import { accountOf, weightsSentences } from "../inference/weights/account.js"
import { parseNameMap, readCheckpoint, type NameMap } from "../inference/weights.js"
import { networkOf } from "../families/traced.js"
import { makePlan } from "../plan/plan.js"
import { renderTable } from "../report/render/index.js"
import { runTable } from "../analysis/run-table.js"
import { createRun } from "../run/directory.js"
import { mayColour, openDisplay, type Display } from "../run/display.js"
import type { Json } from "../run/events.js"
import { accountSlice } from "../run/conservation.js"
import { measureEvaluation } from "./execute.js"
import { requireMeasurable } from "../evaluators/evaluate.js"
import { measureFloors } from "../run/floors.js"
import { collectProvenance } from "../run/provenance.js"
import type { Experiment } from "../spec/experiment.js"
import { runFingerprint, weightsFingerprint } from "../spec/fingerprint.js"
import { nearest } from "../spec/nearest.js"
import type { LoadedSpec, Profile } from "../spec/spec-file.js"
import { basedWeights } from "./based-weights.js"
import { chooseExecutor, type EngineFlags } from "./choose-executor.js"
import { dataWarnings, describeContent } from "./data-words.js"
import { watchInterrupts } from "./interrupts.js"
import { locateSpec } from "./locate.js"
import { openSpec } from "./open-spec.js"
import { UsageError, type Outcome } from "./outcome.js"
import { outputWidth, publishedClaims } from "./run-results.js"

export interface EvalInput extends EngineFlags {
  readonly checkpoint: string
  readonly spec: string
  readonly profile: Profile
  readonly set?: readonly string[]
  readonly evaluation: Option.Option<string>
  readonly names: Option.Option<string>
  readonly runs: string
  readonly json: boolean
}

/** The experiment with the chosen evaluations alone. */
const chosen = ({ experiment }: LoadedSpec, id: string | undefined): Experiment => {
  if (id === undefined) return experiment
  const one = experiment.evaluations.find((evaluation) => evaluation.id === id)
  if (one === undefined) {
    const there = experiment.evaluations.map((evaluation) => evaluation.id)
    const near = nearest(id, there)
    throw new UsageError(
      `no evaluation is called "${id}"${near === undefined ? "." : `; did you mean ${near}?`} The spec has ${there.join(", ")}.`,
    )
  }
  return { ...experiment, evaluations: [one] }
}

/** The name map of a file; an empty one when there is none. */
export const readNameMap = async (path: string | undefined): Promise<NameMap> => {
  if (path === undefined) return {}
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw fromSystemError(error, path, "reading the name map")
  })
  return parseNameMap(text, path)
}

export const evaluateCheckpoint = async (
  input: EvalInput,
  display: Display = openDisplay(),
): Promise<Outcome> => {
  const file = await locateSpec(input.spec)
  const spec = await openSpec(file, input.profile, input.set)
  const experiment = chosen(spec, Option.getOrUndefined(input.evaluation))
  const names = await readNameMap(Option.getOrUndefined(input.names))
  const network = networkOf(experiment)
  // The weights come first: a file that does not fit is refused before data are read or a run is made.
  const checkpoint = await readCheckpoint(input.checkpoint)
  const { loaded, began } = await basedWeights(checkpoint, spec, network, {
    names,
    ema: experiment.training.emaDecay ?? false,
    model: experiment.model,
    file: input.checkpoint,
    runs: input.runs,
  })
  const sha256 = await fileDigest(input.checkpoint)
  const weights = accountOf(loaded, checkpoint, { file: basename(input.checkpoint), sha256 })
  const corpus = await loadCorpus(experiment.data, { cacheDir: cacheDirectory() })
  await requireBoundaries(experiment, corpus, ["validation"])
  const data = await contentOf(corpus)
  for (const notice of dataWarnings(experiment, data)) display.warn(notice)
  display.log(`Data: ${describeContent(data)}.`)
  await requireMeasurable(experiment)
  const choice = await chooseExecutor(input, experiment.execution)
  const stop = watchInterrupts(display)
  try {
    const executor = await openExecutor(choice)
    display.log(`Engine ${choice.engine} ${executor.version}, ${choice.options.precision}: ${choice.reason}.`)
    try {
      for (const sentence of weightsSentences(weights)) display.log(sentence)
      const run = await createRun(input.runs, {
        spec: experiment.id,
        profile: spec.profile,
        fingerprint: weightsFingerprint(runFingerprint(experiment, data), sha256, names),
        specText: spec.text,
        experiment: experiment as unknown as Json,
        plan: makePlan(spec, { cores: availableParallelism(), memory: totalmem() }) as unknown as Json,
        differences: [
          ...spec.differences,
          {
            pointer: "/training/weights",
            paper: "trained as stated",
            profile: `${basename(input.checkpoint)}, sha256 ${sha256.slice(0, 12)}`,
          },
        ],
        data,
        weights,
        ...(began === undefined ? {} : { began }),
        provenance: await collectProvenance(file, {
          name: choice.engine,
          version: executor.version,
          precision: choice.options.precision,
          device: choice.options.device,
          threads: choice.options.threads,
        }),
      })
      try {
        display.log(`Run ${run.manifest.id} in ${run.directory}.`)
        await run.append({
          type: "notice",
          text: `Weights from ${basename(input.checkpoint)} (${checkpoint.format}, sha256 ${sha256}); nothing was trained.`,
        })
        const split = await readTokens(corpus.validation)
        for (const note of accountSlice(corpus, split, experiment).notes) display.warn(note)
        for (const evaluation of experiment.evaluations) {
          display.phase(`evaluating ${evaluation.id}`, undefined, { unit: "sequence" })
          const measured = await measureEvaluation(evaluation, {
            run,
            experiment,
            corpus,
            executor,
            choice,
            display,
            network,
            parameters: loaded.parameters,
            split,
            step: checkpoint.step,
            base: began?.base,
            stopping: stop.requested,
          })
          if (!measured || stop.requested())
            return {
              text: "Stopped before every evaluation was measured; run the command again to measure all of them.",
              json: { run: run.manifest.id, finished: false },
              exitCode: 3,
            }
        }
        await measureFloors({ run, experiment, corpus, display })
        const table = await runTable(run, await publishedClaims(run))
        await run.writeResults(table)
        await run.append({ type: "finished" })
        return {
          text: renderTable(table, "terminal", {
            colour: mayColour(process.stdout, process.env),
            width: outputWidth(),
          }),
          json: {
            run: run.manifest.id,
            directory: basename(run.directory),
            fingerprint: run.manifest.fingerprint,
            data,
            weights,
            finished: true,
            ...table,
          },
        }
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        await run.append({ type: "failed", message }).catch(() => undefined)
        throw error
      } finally {
        await run.close()
      }
    } finally {
      await executor.dispose()
    }
  } finally {
    stop.release()
    display.end()
  }
}
