/** Writes the folder that measures a GPU without Node: jobs as the worker takes them, expected numbers, the scripts. */
import { cp, mkdir, readdir, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { Executor } from "../../src/engine/executor.js"
import { measureDiscreteElbo } from "../../src/evaluators/discrete-elbo/measure.js"
import { measureOrder } from "../../src/evaluators/orders.js"
import { writeFileAtomic } from "../../src/files/atomic.js"
import { integersBelow, stream } from "../../src/diffusion/philox.js"
import { networkOf } from "../../src/families/traced.js"
import { makeScorer } from "../../src/inference/scorer.js"
import type { ScoredWindows } from "../../src/inference/windows.js"
import { ELBO_SEED } from "../job.js"
import { BF16_PEAKS, commit } from "../machine.js"
import { benchExperiment, gpuShape, PUBLISHED_BATCH, type Shape } from "../shapes.js"
import { lladaJob, owtJob, tinyFlexmdmJob, tinyGsmJob, tinyLladaJob } from "./insertion.js"
import { recordEvaluation, recordForward, recordTraining, writeExpected, type BundleJob } from "./job.js"
import { causalJob, mdlmJob } from "./masked.js"

/** What a bundle may weigh at most, bytes. */
export const MOST_BYTES = 20 * 2 ** 20

const TINY: Shape = { name: "tiny", layers: 2, width: 32, heads: 2, length: 32, batch: 4 }
const tinyRows = { rows: 4, length: 24, compared: true } as const

/** Batches of the search, in sequences; 8 is the published one. Each takes half a minute to compile. */
export const BATCHES = [PUBLISHED_BATCH, 32, 128] as const

type Make = () => BundleJob

/** Gradients are read from the first moment of one step, so they are compared where nothing is clipped. */
const compared = ({ training }: BundleJob): boolean => training.clipNorm === 0

/** Small ones, whose numbers are stored; they are also what a machine without a GPU runs. */
const tinyJobs: readonly Make[] = [
  () => mdlmJob({ name: "mdlm-tiny", shape: TINY, steps: 3, compared: true }),
  () => causalJob({ name: "ar-tiny", shape: TINY, steps: 2 }),
  () => tinyFlexmdmJob("owt", { name: "flexmdm-tiny", steps: 2, ...tinyRows }),
  () => tinyFlexmdmJob("tinygsm", { name: "tinygsm-tiny", steps: 2, ...tinyRows }),
  () => tinyLladaJob({ name: "llada-tiny", steps: 2, ...tinyRows }),
  // For several ranks: its micro-batches are dealt out to them.
  () => mdlmJob({ name: "mdlm-tiny-4", shape: { ...TINY, batch: 2 }, steps: 2, accumulation: 4 }),
]

const paperJobs: readonly Make[] = [
  ...BATCHES.map(
    (batch): Make =>
      () =>
        mdlmJob({
          name: `mdlm-paper-${batch}`,
          shape: gpuShape(batch),
          steps: batch === PUBLISHED_BATCH ? 4 : 1,
        }),
  ),
  () => mdlmJob({ name: "mdlm-paper-4", shape: gpuShape(PUBLISHED_BATCH), steps: 2, accumulation: 4 }),
  ...[32].map(
    (rows): Make =>
      () =>
        owtJob({ name: `owt-${rows}`, rows, length: 1024, steps: 1 }),
  ),
  () => tinyGsmJob({ name: "tinygsm-32", rows: 32, length: 512, steps: 1 }),
  ...[1, 4].map(
    (rows): Make =>
      () =>
        lladaJob({ name: `llada-${rows}`, rows, length: 1024, steps: 1 }),
  ),
]

interface Evaluation {
  readonly name: string
  readonly shape: Shape
  /** Sequences in one pass. */
  readonly batch: number
  readonly elboSteps: number
  /** Passes kept of a left-to-right evaluation. */
  readonly passes: number
  readonly job: Make
}

const tinyEvaluation: Evaluation = {
  name: "mdlm-tiny",
  shape: TINY,
  batch: 4,
  elboSteps: 8,
  passes: 2,
  job: tinyJobs[0]!,
}
const paperEvaluation: Evaluation = {
  name: "mdlm-paper-8",
  shape: gpuShape(PUBLISHED_BATCH),
  batch: 32,
  elboSteps: 128,
  passes: 3,
  job: () => mdlmJob({ name: "mdlm-paper-8", shape: gpuShape(PUBLISHED_BATCH), steps: 1 }),
}

const windowOf = ({ length }: Shape): ScoredWindows => ({
  tokens: Int32Array.from(integersBelow(stream(4, "sample"), [], 1020, length), (n) => n + 4),
  count: 1,
  length,
  starts: new Int32Array(1),
  available: 1,
})

const schedule = { kind: "log-linear", eps: 1e-3 } as const
const rule = { maskId: 1024, padId: 1025, boundaryId: 1, boundary: "maskable" } as const

const writeEvaluations = async (jobs: string, evaluation: Evaluation): Promise<object> => {
  const { name, shape, batch, elboSteps, passes } = evaluation
  const job = evaluation.job()
  const network = networkOf(benchExperiment(shape))
  const { length } = shape
  const window = windowOf(shape)
  const scorer = (executor: Executor, columns?: { most: number; mean: number }) =>
    makeScorer(executor, network, {}, { length, batch, ...(columns === undefined ? {} : { columns }) })
  await recordEvaluation(job, join(jobs, `${name}.elbo.frames.gz`), Infinity, async (executor) =>
    measureDiscreteElbo(await scorer(executor), window, {
      schedule,
      rule,
      draws: 1,
      seed: ELBO_SEED,
      steps: elboSteps,
    }),
  )
  await recordEvaluation(job, join(jobs, `${name}.order.frames.gz`), passes, async (executor) =>
    measureOrder(await scorer(executor, { most: 1, mean: 1 }), window, {
      schedule,
      rule,
      order: "left-to-right",
      seed: 1,
    }),
  )
  return { length, batch, elboSteps, orderTokens: Math.min(length, passes * batch) }
}

const sizeOfFolder = async (folder: string): Promise<number> => {
  const names = await readdir(folder, { recursive: true })
  const sizes = await Promise.all(names.map(async (name) => stat(join(folder, name))))
  return sizes.reduce((sum, entry) => sum + (entry.isFile() ? entry.size : 0), 0)
}

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

const noCache = (path: string): boolean => !path.includes("__pycache__")

/** Files that are ours: a folder with anything else is left alone. */
const OWN = new Set([
  "README.md",
  "manifest.json",
  "measure.py",
  "parts.py",
  "jobs",
  "expected",
  "reference",
  "repro_worker",
])

/**
 * @param tiny only the jobs that a machine without a GPU runs
 * @returns bytes written
 * @throws Error when the folder holds something else, or the bundle is larger than it may be
 */
export const writeBundle = async (
  folder: string,
  { tiny, say }: { readonly tiny: boolean; readonly say: (line: string) => void },
): Promise<number> => {
  await mkdir(folder, { recursive: true })
  const strange = (await readdir(folder)).filter((name) => !OWN.has(name))
  if (strange.length > 0)
    throw new Error(
      `${folder} holds ${strange.slice(0, 3).join(", ")}, which no bundle has: name an empty folder`,
    )
  for (const name of OWN) await rm(join(folder, name), { recursive: true, force: true })
  const [jobs, expected] = [join(folder, "jobs"), join(folder, "expected")]
  await mkdir(jobs)
  await mkdir(expected)

  const entries: Record<string, object> = {}
  for (const make of [...tinyJobs, ...(tiny ? [] : paperJobs)]) {
    const job = make()
    say(job.name)
    await recordTraining(job, join(jobs, `${job.name}.train.frames.gz`))
    for (const forward of job.forwards)
      await recordForward(job, forward, join(jobs, `${job.name}.${forward.name}.frames.gz`))
    if (compared(job)) await writeExpected(job, join(expected, `${job.name}.safetensors`))
    const { optimizer, accumulation } = job.training
    entries[job.name] = {
      family: job.family,
      rows: job.rows,
      length: job.length,
      steps: job.steps.length,
      positions: job.rows * job.length * accumulation,
      trainFlops: job.trainFlops,
      beta1: optimizer.kind === "adamw" ? optimizer.betas[0] : undefined,
      clipNorm: job.training.clipNorm,
      forwards: job.forwards.map(({ name }) => name),
      expected: compared(job),
      model: job.model,
      ids: job.ids,
      optimizer,
      emaDecay: job.training.emaDecay,
    }
  }
  const evaluations: Record<string, object> = {}
  for (const evaluation of tiny ? [tinyEvaluation] : [tinyEvaluation, paperEvaluation]) {
    say(`${evaluation.name}: evaluations`)
    evaluations[evaluation.name] = await writeEvaluations(jobs, evaluation)
  }

  for (const name of ["measure.py", "parts.py"]) await cp(source(name), join(folder, name))
  await cp(source("../README.md"), join(folder, "README.md"))
  await cp(source("../reference"), join(folder, "reference"), { recursive: true, filter: noCache })
  const worker = source("../../python/repro_worker/repro_worker")
  await cp(worker, join(folder, "repro_worker"), { recursive: true, filter: noCache })
  const manifest = {
    format: 1,
    commit: commit(),
    tiny,
    batches: tiny ? [] : BATCHES,
    peaks: BF16_PEAKS.map(({ name, flops, source: from }) => ({ name: name.source, flops, source: from })),
    jobs: entries,
    evaluations,
  }
  await writeFileAtomic(join(folder, "manifest.json"), `${JSON.stringify(manifest, undefined, 2)}\n`)
  const bytes = await sizeOfFolder(folder)
  if (bytes > MOST_BYTES)
    throw new Error(`the bundle has ${(bytes / 2 ** 20).toFixed(1)} MiB, more than ${MOST_BYTES / 2 ** 20}`)
  return bytes
}
