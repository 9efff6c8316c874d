/** `repro eval`: evidence and table for weights that were trained elsewhere. */
import { basename } from "node:path"
import * as Option from "effect/Option"
import { weightsSentences } from "../inference/weights/account.js"
import { renderTable } from "../report/render/index.js"
import { mayColour, openDisplay, type Display } from "../run/display.js"
import { nearest } from "../spec/nearest.js"
import type { LoadedSpec, Profile } from "../spec/spec-file.js"
import { chooseExecutor, type EngineFlags } from "./choose-executor.js"
import { readGivenWeights, readNameMap } from "./given-weights.js"
import { ensureJudges } from "./ensure-run.js"
import { waitingForJudge } from "./waiting.js"
import { watchInterrupts } from "./interrupts.js"
import { locateSpec } from "./locate.js"
import { openSpec } from "./open-spec.js"
import { UsageError, type Outcome } from "./outcome.js"
import { runExperiment } from "./run-experiment.js"
import { outputWidth } from "./run-results.js"
import { stoppedEvaluation } from "./stopped-evaluation.js"

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

/** The spec with the chosen evaluations alone. */
const chosen = (spec: LoadedSpec, id: string | undefined): LoadedSpec => {
  if (id === undefined) return spec
  const { evaluations } = spec.experiment
  const one = evaluations.find((evaluation) => evaluation.id === id)
  if (one === undefined) {
    const there = evaluations.map((evaluation) => evaluation.id)
    const near = nearest(id, there)
    throw new UsageError(
      `no evaluation is called "${id}"${near === undefined ? "." : `; did you mean ${near}?`} The spec has ${there.join(", ")}.`,
    )
  }
  return { ...spec, experiment: { ...spec.experiment, evaluations: [one] } }
}

export const evaluateCheckpoint = async (
  input: EvalInput,
  display: Display = openDisplay(),
): Promise<Outcome> => {
  const file = await locateSpec(input.spec)
  const spec = chosen(await openSpec(file, input.profile, input.set), Option.getOrUndefined(input.evaluation))
  const { experiment } = spec
  const names = await readNameMap(Option.getOrUndefined(input.names))
  // The weights come first: a file that does not fit is refused before data are read or a run is made.
  const given = await readGivenWeights(input.checkpoint, spec, { names, runs: input.runs })
  const choice = await chooseExecutor(input, experiment.execution)
  const stop = watchInterrupts(display)
  try {
    for (const sentence of weightsSentences(given.account)) display.log(sentence)
    const job = { spec, choice, runs: input.runs, display, stopping: stop.requested, given }
    const judge = await ensureJudges(job)
    if (judge !== undefined) return waitingForJudge(spec, judge)
    const resume = await stoppedEvaluation(input.runs, { spec, given, choice })
    if (resume !== undefined)
      display.log(`${basename(resume)} measured these weights and was stopped; it goes on.`)
    const ran = await runExperiment({ ...job, ...(resume === undefined ? {} : { resume }) })
    const { id, fingerprint, data = null } = ran.run.manifest
    if (!ran.finished)
      return {
        text: "Stopped before every evaluation was measured; run the command again to go on with them.",
        json: { run: id, finished: false },
        exitCode: 3,
      }
    const colour = mayColour(process.stdout, process.env)
    return {
      painted: colour,
      text: renderTable(ran.table, "terminal", {
        colour,
        width: outputWidth(),
      }),
      json: {
        run: id,
        directory: basename(ran.run.directory),
        fingerprint,
        data,
        weights: given.account,
        finished: true,
        ...ran.table,
      },
    }
  } finally {
    stop.release()
    display.end()
  }
}
