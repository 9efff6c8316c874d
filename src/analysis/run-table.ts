/** The results table of a run, from its evidence. The same evidence always gives the same table. */
import { corpusPart } from "../data/corpora/index.js"
import { summarise } from "../evaluators/index.js"
import { isCodeLength, type ItemSummary, type Summary } from "../evaluators/summary.js"
import { bootstrapRatio } from "../metric/statistics/bootstrap.js"
import { weightsSentences } from "../inference/weights/account.js"
import type { RunReader } from "../run/directory.js"
import type { RunManifest } from "../run/manifest.js"
import { experimentOf } from "../run/experiment-of.js"
import { readFloors } from "../run/floors.js"
import { contentNotices } from "../spec/content.js"
import type { Experiment } from "../spec/experiment.js"
import { unstatedFiles } from "../spec/fingerprint.js"
import { buildLanguageModelTable } from "./build-language-model-table.js"
import { claimsAbout, markedClaimRows, publishedConstantOf, type TableClaims } from "./claim-marks.js"
import type { EvaluationSummary, RatioInterval } from "./language-model.js"
import { ladderOf } from "./ladder.js"
import type { LadderPlot } from "./ladder-plot.js"
import type { ResultsTable } from "./table.js"

export const ratioInterval: RatioInterval = (pairs) => {
  const { low, high, level, method } = bootstrapRatio(pairs)
  return { low, high, level, method }
}

/** Which weights a run scored, where there is more than one set to choose from. */
const weightsWords = ({ weights }: RunManifest, { training }: Experiment): readonly string[] =>
  weights !== undefined
    ? weightsSentences(weights)
    : training.emaDecay === undefined
      ? []
      : [`Weights scored: the moving average of those trained here (emaDecay ${training.emaDecay}).`]

/** The published experiment that the run's spec extends. */
const variedBy = ({ source }: RunManifest, { id }: Experiment): { readonly varied?: string } => {
  try {
    const { published } = JSON.parse(source.text) as { readonly published?: { readonly id?: unknown } }
    const varied = published?.id
    return typeof varied === "string" && varied !== id ? { varied } : {}
  } catch {
    return {} // A spec that this version cannot read; what the manifest says of the experiment stands.
  }
}

/** Every evaluation of a run, summed from its evidence, in the order of the spec. */
export const allSummaries = async (run: RunReader): Promise<readonly Summary[]> => {
  const experiment = experimentOf(run)
  const there = await run.evidence()
  const summaries: Summary[] = []
  for (const { id } of experiment.evaluations) {
    if (there.includes(id))
      summaries.push(
        ...summarise(
          await run.readEvidence(id),
          `${run.directory}/evidence/${id}.safetensors`,
          corpusPart(experiment.data.corpus).dataset(experiment.data.corpus),
        ),
      )
  }
  return summaries
}

/** Those of them that are code lengths. */
export const runSummaries = async (run: RunReader): Promise<readonly EvaluationSummary[]> =>
  (await allSummaries(run)).filter(isCodeLength)

/** The ladder of a run; undefined when its evidence is gone or holds fewer than two evaluations. */
export const runLadder = async (run: RunReader): Promise<LadderPlot | undefined> => {
  const floors = await readFloors(run)
  return floors === undefined ? undefined : ladderOf([{ evaluations: await runSummaries(run) }], floors)
}

/**
 * The table of a run, with the published claims that are about it and the constant that its claims divide by.
 * @throws TableError when the run holds no evidence or no floors yet
 */
export const runTable = async (
  run: RunReader,
  published: TableClaims = { claims: [] },
): Promise<ResultsTable> => {
  const experiment = experimentOf(run)
  const claims = claimsAbout(published.claims, experiment)
  const { rows, contracts } = markedClaimRows({ ...published, claims })
  const { manifest } = run
  const constant = publishedConstantOf(published.claims)
  const summaries = await allSummaries(run)
  return buildLanguageModelTable({
    header: {
      experiment: experiment.id,
      title: experiment.title,
      profile: manifest.profile,
      run: manifest.id,
      fingerprint: manifest.fingerprint,
      ...(manifest.weights === undefined ? {} : { weights: manifest.weights }),
    },
    weights: weightsWords(manifest, experiment),
    differences: manifest.differences,
    ...variedBy(manifest, experiment),
    unstated: unstatedFiles(experiment),
    dataNotices: manifest.data === undefined ? [] : contentNotices(manifest.data),
    evaluations: summaries.filter(isCodeLength),
    items: summaries.filter((summary): summary is ItemSummary => !isCodeLength(summary)),
    floors: (await readFloors(run)) ?? [],
    ratioInterval,
    claims: rows,
    contracts,
    ...(constant === undefined ? {} : { publishedConstant: constant }),
  })
}
