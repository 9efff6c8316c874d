/** The results table of a run, from its evidence. The same evidence always gives the same table. */
import { bootstrapRatio } from "../metric/statistics/bootstrap.js"
import type { RunReader } from "../run/directory.js"
import { readFloors } from "../run/floors.js"
import { contentNotices } from "../spec/content.js"
import type { Experiment } from "../spec/experiment.js"
import { unstatedFiles } from "../spec/fingerprint.js"
import { buildLanguageModelTable } from "./build-language-model-table.js"
import { claimsAbout, markedClaimRows, publishedConstantOf, type TableClaims } from "./claim-marks.js"
import type { EvaluationSummary, RatioInterval } from "./language-model.js"
import { summariseAll } from "./summaries.js"
import { ladderOf } from "./ladder.js"
import type { LadderPlot } from "./svg.js"
import type { ResultsTable } from "./table.js"

const datasetOf = ({ data }: Experiment): string =>
  data.corpus.kind === "parameter-golf"
    ? data.corpus.dataset
    : data.corpus.kind === "speeches"
      ? data.corpus.source.replace(/^npm:/, "")
      : "files"

export const ratioInterval: RatioInterval = (pairs) => {
  const { low, high, level, method } = bootstrapRatio(pairs)
  return { low, high, level, method }
}

/** Every evaluation of a run, summed from its evidence, in the order of the spec. */
export const runSummaries = async (run: RunReader): Promise<readonly EvaluationSummary[]> => {
  const experiment = run.manifest.experiment as unknown as Experiment
  const there = await run.evidence()
  const summaries: EvaluationSummary[] = []
  for (const { id } of experiment.evaluations) {
    if (there.includes(id))
      summaries.push(
        ...summariseAll(
          await run.readEvidence(id),
          `${run.directory}/evidence/${id}.safetensors`,
          datasetOf(experiment),
        ),
      )
  }
  return summaries
}

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
  const experiment = run.manifest.experiment as unknown as Experiment
  const claims = claimsAbout(published.claims, experiment)
  const { rows, contracts } = markedClaimRows({ ...published, claims })
  const { manifest } = run
  const constant = publishedConstantOf(published.claims)
  return buildLanguageModelTable({
    header: {
      experiment: experiment.id,
      title: experiment.title,
      profile: manifest.profile,
      run: manifest.id,
      fingerprint: manifest.fingerprint,
    },
    differences: manifest.differences,
    unstated: unstatedFiles(experiment),
    dataNotices: manifest.data === undefined ? [] : contentNotices(manifest.data),
    evaluations: await runSummaries(run),
    floors: (await readFloors(run)) ?? [],
    ratioInterval,
    claims: rows,
    contracts,
    ...(constant === undefined ? {} : { publishedConstant: constant }),
  })
}
