/**
 * The training loop. Everything random in step s is a function of (seed, s), and the state is all there is
 * besides, so a run that stops after any step and starts again from its state ends bit-identically.
 */
import type { TrainingRows } from "../data/rows/training-rows.js"
import type { Executor, HostTensors } from "../engine/executor.js"
import type { Weights } from "../engine/weights.js"
import { objectivePart } from "../families/index.js"
import { networkOf } from "../families/traced.js"
import { learningRateFactor } from "../model/learning-rate.js"
import type { Experiment } from "../spec/experiment.js"
import { layoutFor, shapeFor, typicalRows } from "./layout.js"
import { dropoutMasks } from "./dropout.js"
import { inFlight } from "./in-flight.js"
import { readAhead } from "./read-ahead.js"
import { initialState, stepScalars } from "./state.js"
import { tracePrograms } from "./programs.js"

export interface StepReport {
  /** Optimiser steps taken so far. */
  readonly step: number
  readonly totalSteps: number
  readonly loss: number
  readonly gradNorm: number
  readonly learningRateFactor: number
  readonly group: number
  /** Positions processed in this step, PAD included. */
  readonly positions: number
}

export interface Watch {
  readonly every: number
  /** Given a copy; step 0 is the state before any step. */
  readonly onState: (step: number, state: HostTensors) => Promise<void>
}

export interface TrainJob {
  readonly experiment: Experiment
  readonly executor: Executor
  /** The caller closes them. */
  readonly rows: TrainingRows
  /** Parameters and optimiser state after `step` steps; absent at the start of a run. */
  readonly resume?: { readonly step: number; readonly state: HostTensors } | undefined
  /** Weights that the executor holds: the frozen ones. */
  readonly weights?: Weights | undefined
  /** Parameters that begin as something else than drawn numbers; frozen ones aside. */
  readonly begun?: HostTensors | undefined
  readonly onStep: (report: StepReport) => void | Promise<void>
  /** What looks at the state while it is trained: at the start, every `every` steps and after the last one. */
  readonly watch?: Watch | undefined
  /** Called with a copy of the state every `checkpointEvery` steps and after the last one. */
  readonly onCheckpoint: (step: number, state: HostTensors, last: boolean) => Promise<void>
  /** Asked after every step; true ends training after the steps that the executor already has, with a checkpoint. */
  readonly shouldStop: () => boolean
}

export interface TrainOutcome {
  readonly step: number
  readonly totalSteps: number
  readonly state: HostTensors
  readonly stopped: boolean
}

/** Steps whose feeds are drawn before they are needed. */
const STEPS_AHEAD = 2

/** A loss or gradient that is no longer a number. */
export class DivergenceError extends Error {
  override readonly name = "DivergenceError"

  constructor(step: number, what: string, value: number) {
    super(
      `training diverged: the ${what} of step ${step} is ${value}; lower /training/optimizer/learningRate or raise /training/schedule/warmup, and start a new run`,
    )
  }
}

/** Steps of the whole experiment for a number of groups. */
export const totalSteps = (experiment: Experiment, groups: number): number =>
  experiment.training.stepsPerGroup * groups

/** Trains to the end, or until asked to stop. */
export const train = async (job: TrainJob): Promise<TrainOutcome> => {
  const { experiment, executor, rows: source } = job
  const { training, objective } = experiment
  const { length } = experiment.data.batching
  const network = networkOf(experiment)
  const total = totalSteps(experiment, source.groups)
  const part = objectivePart(objective)
  const typical = part.measuresRows === true ? await typicalRows(source, experiment) : undefined
  const layout = layoutFor(experiment, executor.layout, typical)
  const programs = tracePrograms({
    network,
    training,
    slices: layout.slices,
    feeds: layout.programs,
  })
  const feeder = part.feeds(objective, {
    ...shapeFor(experiment),
    tokenizer: experiment.data.tokenizer,
    seed: training.seed,
    accumulation: training.accumulation,
    layout,
  })
  const masks = dropoutMasks(experiment, layout)
  const rows = training.microBatch * training.accumulation
  const trainer = await executor.trainer(
    programs,
    job.resume?.state ?? initialState(network, training, job.begun),
    job.weights,
  )
  let step = job.resume?.step ?? 0
  const feeds = readAhead(async (s) => masks(s, feeder(s, await source.rows(s, rows))), {
    first: step,
    end: total,
    depth: STEPS_AHEAD,
  })
  const { watch } = job
  const watches = (s: number): boolean => watch !== undefined && (s === total || s % watch.every === 0)
  const keeps = (s: number): boolean => s === total || s % training.checkpointEvery === 0
  const flight = inFlight({
    first: step,
    end: total,
    depth: trainer.inFlight ?? 1,
    // Between such a step and the next the state is read.
    pausesAfter: (s) => watches(s) || keeps(s),
    begin: async (s) => {
      const { micro, program } = await feeds.next()
      const factor = learningRateFactor(training, s, source.groups)
      return { factor, ...(await trainer.step(micro, stepScalars(training, s, factor), program)) }
    },
  })
  let stopping = false
  try {
    if (watch !== undefined && step === 0 && total > 0) await watch.onState(0, await trainer.readState())
    while (step < total) {
      const { factor, loss, gradNorm } = await flight.next()
      if (!Number.isFinite(loss)) throw new DivergenceError(step, "loss", loss)
      if (!Number.isFinite(gradNorm)) throw new DivergenceError(step, "gradient norm", gradNorm)
      step++
      await job.onStep({
        step,
        totalSteps: total,
        loss,
        gradNorm,
        learningRateFactor: factor,
        group: Math.floor((step - 1) / training.stepsPerGroup),
        positions: rows * length,
      })
      const last = step === total
      if (!last && !stopping && job.shouldStop()) {
        stopping = true
        flight.stop()
      }
      const stop = !last && stopping && flight.open === 0
      const kept = stop || keeps(step)
      if (watches(step) || kept) {
        const state = await trainer.readState()
        // Before the checkpoint: a run that goes on behind it does not take the point again.
        if (watches(step)) await watch!.onState(step, state)
        if (kept) await job.onCheckpoint(step, state, last)
        if (last || stop) return { step, totalSteps: total, state, stopped: stop }
      }
    }
    return { step, totalSteps: total, state: await trainer.readState(), stopped: false }
  } finally {
    await feeds.close()
    await flight.close()
    await trainer.dispose()
  }
}
