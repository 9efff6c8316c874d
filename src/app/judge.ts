/** Opens the network of another spec that judges the texts of an experiment. */
import { basename } from "node:path"
import { readTokenizer, tokenizerPath } from "../data/corpora/tokenizer.js"
import { modelTokenizer } from "../data/tokenizers/tokenizer.js"
import type { Executor } from "../engine/executor.js"
import { EvaluationError, type OpenJudge } from "../evaluators/job.js"
import { networkOf } from "../families/traced.js"
import { DataError } from "../files/errors.js"
import { bytesDigest } from "../files/digest.js"
import { cacheDirectory } from "../files/sources.js"
import type { Experiment } from "../spec/experiment.js"
import { judgeIn } from "../spec/judge.js"
import type { LoadedSpec } from "../spec/spec-file.js"
import { finishedRun } from "./based-weights.js"
import { endOfRun, findBeginning, type Beginning } from "./beginning.js"
import { lending } from "./held-weights.js"

type Evaluation = Experiment["evaluations"][number]

const weightsOf = async (spec: LoadedSpec, runs: string, by: string): Promise<Beginning> => {
  const { experiment, profile } = spec
  if (experiment.training.stepsPerGroup === 0) return (await findBeginning(experiment, undefined))!
  const run = await finishedRun(spec, runs)
  if (run === undefined)
    throw new EvaluationError(
      by,
      `there is no finished run of its judge ${experiment.id}, profile ${profile}, in ${runs}; make it with repro run ${experiment.id} --profile ${profile}`,
    )
  return endOfRun(run)
}

const modelOf = async ({ experiment: { id, data } }: LoadedSpec, by: string) => {
  try {
    return await readTokenizer(data, await tokenizerPath(data, { cacheDir: cacheDirectory() }))
  } catch (error) {
    if (error instanceof DataError && error.reason === "missing")
      throw new EvaluationError(
        by,
        `the tokenizer of its judge ${id} is not there (${error.message}); run repro prepare ${id}`,
      )
    throw error
  }
}

/** Of a judge's weights: the SHA-256 of the one file, or of the list of digests of several. */
export const judgeDigest = ({ began: { files } }: Pick<Beginning, "began">): string => {
  const [only, ...others] = files
  return only !== undefined && others.length === 0
    ? only.sha256
    : bytesDigest(files.map(({ sha256 }) => `${sha256}\n`).join(""))
}

/** Each is whole, or there is one sentence about what it lacks. */
const foundJudge = async (evaluation: Evaluation, { judges, runs }: Judges) => {
  const named = judgeIn(evaluation)
  const spec = judges?.get(named?.fingerprint ?? "")
  if (named === undefined || spec === undefined)
    throw new EvaluationError(
      evaluation.id,
      `the spec of its judge ${named?.run ?? ""} was not read with it; give a spec file beside that one`,
    )
  return {
    spec,
    begin: named.begin ?? ("text" as const),
    weights: await weightsOf(spec, runs, evaluation.id),
    model: await modelOf(spec, evaluation.id),
  }
}

export interface Judges {
  readonly judges: LoadedSpec["judges"]
  /** Folder that holds the runs. */
  readonly runs: string
}

/** Before hours of training: every judge that the evaluations name is there. @throws EvaluationError */
export const requireJudges = async ({ evaluations }: Experiment, judges: Judges): Promise<void> => {
  for (const evaluation of evaluations)
    if (judgeIn(evaluation) !== undefined) await foundJudge(evaluation, judges)
}

/** The judge that an evaluation names, with its weights in an executor. */
export const openJudge = async (
  evaluation: Evaluation,
  { executor }: { readonly executor: Executor },
  judges: Judges,
): Promise<OpenJudge> => {
  const { spec, begin, weights, model } = await foundJudge(evaluation, judges)
  const { experiment, profile, fingerprint } = spec
  const { tokenizer, batching } = experiment.data
  const { files } = weights.began
  const held = await executor.weights(weights.source)
  return {
    account: {
      spec: experiment.id,
      profile,
      fingerprint,
      digest: judgeDigest(weights),
      files: files.map(({ file, sha256 }) => ({ file: basename(file), sha256 })),
      tokenizer: { id: tokenizer.id, digest: model.digest, boundaryId: tokenizer.boundaryId },
      window: batching.length,
      begin,
    },
    network: networkOf(experiment),
    executor: lending(executor, held),
    encode: modelTokenizer(tokenizer.id, model).encode,
    batch: experiment.execution?.evaluationBatch,
    dispose: () => held.dispose(),
  }
}
