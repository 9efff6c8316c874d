/** The training of a run, which can be interrupted and taken up again from its last checkpoint. */
import { openTraining } from "../data/corpora/training.js"
import { modelTokenizer } from "../data/tokenizers/tokenizer.js"
import type { HostTensors } from "../engine/executor.js"
import type { Weights as HeldWeights } from "../engine/weights.js"
import { networkOf } from "../families/traced.js"
import { requireFinite } from "../inference/weights/finite.js"
import { checkpointSchedules, restoredState, storedState } from "../run/checkpoint.js"
import { latestCheckpoint } from "../run/directory.js"
import { totalSteps, train } from "../train/loop.js"
import { evaluationParameters } from "../train/state.js"
import { requireBase } from "./beginning.js"
import { begunValues, heldWeights, withMemory } from "./held-weights.js"
import type { Session } from "./session.js"
import { validationCurve } from "./validation-curve.js"

/** How far training came. */
export interface TrainedRun {
  readonly step: number
  readonly totalSteps: number
  /** What evaluations use; absent where the user asked to stop before the last step. */
  readonly parameters?: HostTensors
  /** Weights that the executor holds for them; the caller disposes of them. */
  readonly held?: HeldWeights | undefined
}

/** Every step up to this one is recorded: the first steps tell rounding from a fault. */
const RECORDED_FIRST = 64

/** Steps between two later recorded events. */
const eventEvery = (total: number): number => Math.max(1, Math.round(total / 200))

/** Mean over the last steps, so that a person sees a trend and not one batch. */
const movingMean = (size: number): ((value: number) => number) => {
  const values: number[] = []
  return (value) => {
    values.push(value)
    if (values.length > size) values.shift()
    return values.reduce((a, b) => a + b, 0) / values.length
  }
}

interface Reached {
  readonly step: number
  readonly total: number
  readonly state: HostTensors
  readonly stopped: boolean
}

const trainOn = async (session: Session, weights: HeldWeights | undefined): Promise<Reached> => {
  const { run, experiment, corpus, executor, display, stopping, beginning } = session
  const rows = await openTraining(experiment, corpus, {
    onNotice: (sentence) => display.warn(sentence),
    encode: (text) => modelTokenizer(experiment.data.tokenizer.id, corpus.tokenizer).encode(text),
  })
  try {
    const total = totalSteps(experiment, rows.groups)
    const begun = await begunValues(networkOf(experiment), weights)
    if (total === 0) return { step: 0, total, state: begun, stopped: false }
    const { checkpoint } = await latestCheckpoint(run)
    const stored = checkpoint === undefined ? undefined : await run.readCheckpoint(checkpoint)
    if (stored !== undefined) requireBase(stored.metadata, beginning?.base, checkpoint!.path)
    const resume = stored === undefined ? undefined : { step: checkpoint!.step, state: restoredState(stored) }
    if (resume !== undefined && resume.step >= total)
      return { step: resume.step, total, state: resume.state, stopped: false }
    if (resume !== undefined) {
      display.log(`Resuming after step ${resume.step} of ${total}.`)
    }
    // Without a checkpoint every step is taken again, and is to count once.
    if (resume !== undefined || (await run.events()).some(({ type }) => type === "step"))
      await run.append({ type: "resumed", step: resume?.step ?? 0 })
    const first = resume?.step ?? 0
    display.phase("training", total, { from: first })
    const record = eventEvery(total)
    const smooth = movingMean(50)
    const curve = await validationCurve(session, weights)
    const started = performance.now()
    let watched = 0
    let tokens = 0
    const outcome = await train({
      experiment,
      executor,
      rows,
      resume,
      weights,
      begun,
      watch:
        curve === undefined
          ? undefined
          : {
              ...curve,
              onState: async (step, state) => {
                const began = performance.now()
                await curve.onState(step, state)
                watched += performance.now() - began
              },
            },
      onStep: async ({ step, loss, gradNorm, learningRateFactor, group, positions }) => {
        tokens += positions
        const tokensPerSecond = (1000 * tokens) / Math.max(1, performance.now() - started - watched)
        display.update({
          done: step,
          loss: smooth(loss),
          tokensPerSecond,
          detail: `group ${group + 1}/${rows.groups}`,
        })
        if (step <= RECORDED_FIRST || step % record === 0 || step === total) {
          await run.append({
            type: "step",
            step,
            loss,
            gradNorm,
            learningRate: learningRateFactor * experiment.training.optimizer.learningRate,
            tokensPerSecond,
          })
        }
      },
      onCheckpoint: async (step, state) => {
        await run.writeCheckpoint(step, storedState(state), {
          step: String(step),
          fingerprint: run.manifest.fingerprint,
          ...(beginning?.base === undefined ? {} : { base: beginning.base }),
          ...checkpointSchedules(experiment),
        })
      },
      shouldStop: stopping,
    })
    display.end()
    return { step: outcome.step, total, state: outcome.state, stopped: outcome.stopped }
  } finally {
    await rows.close()
  }
}

/** Trains to the end, or until the user asks to stop; what an earlier, interrupted call left is used. */
export const trainRun = async (session: Session): Promise<TrainedRun> => {
  const held = await heldWeights(session, session.beginning?.source)
  try {
    const trained = await trainWith(session, held)
    if (trained.parameters === undefined) await held?.dispose()
    return trained
  } catch (error) {
    await held?.dispose()
    throw error
  }
}

const trainWith = async (session: Session, held: HeldWeights | undefined): Promise<TrainedRun> => {
  const { run, experiment } = session
  const { step, total, state, stopped } = await withMemory(session, () => trainOn(session, held))
  if (stopped) {
    await run.append({ type: "interrupted", step })
    return { step, totalSteps: total }
  }
  const network = networkOf(experiment)
  const parameters = total === 0 ? state : evaluationParameters(network, experiment.training, state)
  requireFinite(parameters, `${run.directory}, step ${step}`)
  return { step, totalSteps: total, parameters, held }
}
