/**
 * From weights to a table, one way for weights that a run trains and for those of a file: every evaluation, the floors,
 * the results. What an earlier, interrupted call measured is used.
 */
import { setImmediate as nextTurn } from "node:timers/promises"
import { createHash } from "node:crypto"
import { runTable } from "../analysis/run-table.js"
import type { ResultsTable } from "../analysis/table.js"
import { readTokens } from "../data/corpora/corpus.js"
import { requireUnchanged } from "../data/corpora/identity.js"
import type { HostTensors } from "../engine/executor.js"
import type { Weights as HeldWeights } from "../engine/weights.js"
import { evaluate, requireMeasurable } from "../evaluators/evaluate.js"
import { evaluatorPart } from "../evaluators/index.js"
import { networkOf } from "../families/traced.js"
import { accountSlice } from "../run/conservation.js"
import { measureFloors } from "../run/floors.js"
import { openItems } from "../run/kept-items.js"
import { openPasses, stoppable, StoppedError } from "../run/passes.js"
import { programDigest } from "../run/program.js"
import type { Experiment } from "../spec/experiment.js"
import { unknownClaimNotes } from "./claims.js"
import { openJudge, requireJudges } from "./judge.js"
import { lending } from "./held-weights.js"
import { publishedClaims } from "./run-results.js"
import type { Session } from "./session.js"

/** What is measured. */
export interface Weights {
  readonly parameters: HostTensors
  /** Optimiser steps behind them; null where it is not known. */
  readonly step: number | null
  /** Those that the executor alone holds, such as the frozen ones of a base. */
  readonly held?: HeldWeights | undefined
}

/** Gives the weights; undefined where the user asked to stop before there were any. */
export type WeightSource = (session: Session) => Promise<Weights | undefined>

type Split = Awaited<ReturnType<typeof readTokens>>

/** What the passes of an evaluation depend on besides their feeds. */
const passesOf = ({ run, executor, choice }: Session, { parameters, step }: Weights): string => {
  const { began, fingerprint } = run.manifest
  const weights = createHash("sha256")
  for (const [name, { data }] of Object.entries(parameters))
    weights.update(`${name}\n`).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  return JSON.stringify([
    fingerprint,
    step,
    weights.digest("hex"),
    executor.name,
    executor.version,
    choice.options,
    programDigest(), // an update of the program may measure otherwise
    // The digest of the frozen weights, which the executor alone holds.
    ...(began?.base === undefined ? [] : [began.base]),
  ])
}

/**
 * Measures one evaluation and writes its evidence; passes that an earlier, stopped call made are used.
 *
 * @returns false when the user asked to stop before its end
 */
const measure = async (
  evaluation: Experiment["evaluations"][number],
  session: Session,
  weights: Weights,
  split: Split,
): Promise<boolean> => {
  const { run, experiment, corpus, choice, display, stopping } = session
  const executor = lending(session.executor, weights.held)
  const place = { directory: run.directory, evaluation: evaluation.id }
  const samples = evaluatorPart(evaluation).needs === "sampler"
  const of = passesOf(session, weights)
  const passes = samples ? undefined : await openPasses(executor, { ...place, of, stopping })
  const kept = samples ? await openItems({ ...place, of: JSON.stringify([of, evaluation]) }) : undefined
  const found = passes?.found ?? kept!.found
  if (found > 0)
    display.log(
      `Evaluation ${evaluation.id} goes on: ${found} ${samples ? "groups of texts" : "forward passes"} are there already.`,
    )
  try {
    const { tensors, metadata, items } = await evaluate({
      parameters: weights.parameters,
      step: weights.step,
      evaluation,
      experiment,
      network: networkOf(experiment),
      executor: passes?.executor ?? stoppable(executor, stopping),
      ...(kept === undefined ? {} : { kept }),
      ...(session.judges === undefined
        ? {}
        : { openJudge: () => openJudge(evaluation, session, session.judges!) }),
      choice,
      requireGoing: async () => {
        await nextTurn()
        if (stopping()) throw new StoppedError()
      },
      precision: choice.options.precision,
      split,
      corpus,
      onStart: (sequences) => display.phase(`evaluating ${evaluation.id}`, sequences, { unit: "sequence" }),
      onProgress: (sequences) => display.update({ done: sequences }),
    })
    display.end()
    await run.writeEvidence(evaluation.id, tensors, metadata, items)
    await passes?.done()
    await kept?.done()
    return true
  } catch (error) {
    if (error instanceof StoppedError) return false
    throw error
  }
}

/** The table of the run; undefined when the user asked to stop before everything was measured. */
const results = async (session: Session, source: WeightSource): Promise<ResultsTable | undefined> => {
  const { corpus, experiment, display } = session
  await requireMeasurable(experiment)
  if (session.judges !== undefined) await requireJudges(experiment, session.judges)
  // Before hours of training: what the figures per byte will rest on, and whether there will be any.
  for (const note of accountSlice(corpus, await readTokens(corpus.validation), experiment).notes)
    display.warn(note)
  const weights = await source(session)
  if (weights === undefined) return undefined
  try {
    return await measureAll(session, weights)
  } finally {
    await weights.held?.dispose()
  }
}

const measureAll = async (session: Session, weights: Weights): Promise<ResultsTable | undefined> => {
  const { run, experiment, corpus, display, stopping } = session
  const split = await readTokens(corpus.validation)
  await requireUnchanged(corpus, corpus.validation)
  const done = await run.evidence()
  for (const evaluation of experiment.evaluations) {
    if (done.includes(evaluation.id)) continue
    if (!(await measure(evaluation, session, weights, split)) || stopping()) return undefined
  }
  await measureFloors({ run, experiment, corpus, display })
  for (const note of await unknownClaimNotes(run)) display.warn(note)
  const table = await runTable(run, await publishedClaims(run))
  await run.writeResults(table)
  await run.append({ type: "finished" })
  return table
}

/**
 * Measures the weights of `source` and writes the table of the run, which says what failed if anything did; closes the
 * run and the executor in any case.
 *
 * @returns undefined when the user asked to stop before everything was measured
 */
export const execute = async (session: Session, source: WeightSource): Promise<ResultsTable | undefined> => {
  const { run, executor } = session
  try {
    return await results(session, source)
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
