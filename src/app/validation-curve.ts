/**
 * The validation curve of a run in training: nats per token on fixed windows with fixed masks. It draws from no stream
 * of training and changes no number of the run.
 */
import { readTokens } from "../data/corpora/corpus.js"
import { corpusPart } from "../data/corpora/index.js"
import type { Weights as HeldWeights } from "../engine/weights.js"
import { evaluate } from "../evaluators/evaluate.js"
import { evaluatorPart, summarise } from "../evaluators/index.js"
import { isCodeLength } from "../evaluators/summary.js"
import { networkOf } from "../families/traced.js"
import type { Json } from "../run/events.js"
import type { Experiment } from "../spec/experiment.js"
import { windowsIn } from "../spec/windows.js"
import { evaluationParameters } from "../train/state.js"
import type { Watch } from "../train/loop.js"
import { lending } from "./held-weights.js"
import type { Session } from "./session.js"

type Evaluation = Experiment["evaluations"][number]

/** The cheapest evaluation of the experiment that scores windows, on the first few of them; undefined without one. */
export const curveEvaluation = ({ evaluations }: Experiment, most: number): Evaluation | undefined => {
  const passes = (evaluation: Evaluation): number =>
    evaluatorPart(evaluation).cost(evaluation).forwardsPerItem
  const scoring = evaluations.filter((each) => windowsIn(each) !== undefined)
  const [first] = scoring
  if (first === undefined) return undefined
  const cheapest = scoring.reduce((least, each) => (passes(each) < passes(least) ? each : least))
  const windows = windowsIn(cheapest)!
  return { ...cheapest, windows: { ...windows, count: Math.min(most, windows.count) } } as Evaluation
}

/** What takes the points; undefined where the spec asks for none, or has no evaluation that could. */
export const validationCurve = async (
  session: Session,
  held: HeldWeights | undefined,
): Promise<Watch | undefined> => {
  const { run, experiment, corpus, choice, display } = session
  const asked = experiment.execution?.validation
  if (asked === undefined) return undefined
  const evaluation = curveEvaluation(experiment, asked.windows)
  if (evaluation === undefined) {
    display.warn(
      "No validation curve: none of the experiment's evaluations scores windows of the validation split.",
    )
    return undefined
  }
  const network = networkOf(experiment)
  const split = await readTokens(corpus.validation)
  const { tokenizerDigest, validationDigests, validation } = corpus
  const dataset = corpusPart(experiment.data.corpus).dataset(experiment.data.corpus)
  return {
    every: asked.every ?? experiment.training.checkpointEvery,
    onState: async (step, state) => {
      const started = performance.now()
      const { tensors, metadata } = await evaluate({
        evaluation,
        experiment,
        network,
        parameters: evaluationParameters(network, experiment.training, state),
        executor: lending(session.executor, held),
        precision: choice.options.precision,
        split,
        // Without its normaliser nothing is worked out about bytes, which this curve does not speak of.
        corpus: {
          tokenizerDigest,
          validationDigests,
          validation,
          tokenizer: { pieces: corpus.tokenizer.pieces },
        },
        step,
      })
      const file = { tensors: new Map(Object.entries(tensors)), metadata }
      const summary = summarise(file, `the validation curve at step ${step}`, dataset).find(isCodeLength)
      if (summary === undefined) throw new Error(`evaluation ${evaluation.id} gives no code length`)
      const nats = summary.bits * Math.LN2
      await run.append({
        type: "validation",
        step,
        evaluation: evaluation as unknown as { readonly [field: string]: Json },
        nats,
        tokens: summary.tokens,
        windows: summary.perWindow.length,
        seconds: (performance.now() - started) / 1000,
      })
      display.update({ done: step, validation: nats / summary.tokens })
    },
  }
}
