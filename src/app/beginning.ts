/** What a run begins from: the files of its chain, from the parent's last checkpoint to the weights under everything. */
import { basename, join } from "node:path"
import { networkPart } from "../families/index.js"
import { DataError } from "../files/errors.js"
import { fetchCheckpoint, locateCheckpoint } from "../files/checkpoint-files.js"
import { knownFileDigest } from "../files/digest.js"
import type { OnPrepareEvent } from "../files/events.js"
import { readSafetensors } from "../files/safetensors.js"
import { cacheDirectory } from "../files/sources.js"
import type { NetworkPart } from "../families/part.js"
import { nameTensors, AVERAGE, type NameMap } from "../inference/weights/names.js"
import { trainable } from "../model/optimizer-state.js"
import type { ParameterSpec } from "../model/parameters.js"
import type { BeganFrom } from "../run/began-from.js"
import { latestCheckpoint, readRun, type RunReader } from "../run/directory.js"
import { RunError } from "../run/errors.js"
import { experimentOf } from "../run/experiment-of.js"
import type { Experiment } from "../spec/experiment.js"
import type { Init } from "../spec/init.js"
import { takeWeights, type OfferedTensor, type TakenWeights, type WeightsFile } from "../train/beginning.js"

/** What an experiment begins from, ready to be loaded. */
export interface Beginning extends TakenWeights {
  readonly began: BeganFrom
}

export const parametersOf = ({ model, data }: Pick<Experiment, "model" | "data">): readonly ParameterSpec[] =>
  networkPart(model).parameters(model, data.tokenizer.vocabSize)

/** Names, shapes and types of a file's tensors, from its header. */
const headerOf = async (path: string): Promise<ReadonlyMap<string, OfferedTensor>> => {
  const found = new Map<string, OfferedTensor>()
  await readSafetensors(path, (stored, dtype, shape) => {
    found.set(stored, { stored, dtype, shape })
    return false
  })
  return found
}

/** A name map over what a network's published files call their tensors; the spec's own entries come first. */
const namesOf = (
  stored: readonly string[],
  { names = {} }: Extract<Init, { readonly checkpoint: string }>,
  { publishedName }: NetworkPart,
): NameMap =>
  publishedName === undefined
    ? names
    : {
        ...Object.fromEntries(
          stored
            .filter((name) => !Object.keys(names).some((rule) => /[./]$/.test(rule) && name.startsWith(rule)))
            .map((name) => [name, publishedName(name)]),
        ),
        ...names,
      }

const filesOfCheckpoint = async (
  init: Extract<Init, { readonly checkpoint: string }>,
  network: NetworkPart,
): Promise<readonly WeightsFile[]> => {
  const paths = await locateCheckpoint(init, { cacheDir: cacheDirectory() })
  const headers = await Promise.all(paths.map(headerOf))
  const every = headers.flatMap((header) => [...header.keys()])
  const named = nameTensors(
    every,
    namesOf(every, init, network),
    paths.length === 1 ? paths[0]! : init.checkpoint,
  )
  const target = new Map(named.map(({ name, target: to }) => [name, to]))
  const files: WeightsFile[] = []
  for (const [i, path] of paths.entries()) {
    const offered = new Map<string, OfferedTensor>()
    const others: string[] = []
    for (const [stored, tensor] of headers[i]!) {
      const to = target.get(stored) ?? null
      if (to === null) others.push(stored)
      else offered.set(to, tensor)
    }
    // A stated digest is compared by the process that reads the file.
    const sha256 = init.sha256?.[basename(path)] ?? (await knownFileDigest(path))
    files.push({ path, sha256, offered, others })
  }
  return files
}

/** The trained tensors of a run's last checkpoint, its average where it keeps one; undefined for a run that trained nothing. */
const ownFile = async (
  run: RunReader,
  experiment: Experiment,
): Promise<{ readonly file: WeightsFile; readonly step: number } | undefined> => {
  if (experiment.training.stepsPerGroup === 0) return undefined
  const { checkpoint, unreadable } = await latestCheckpoint(run)
  if (unreadable[0] !== undefined) await run.readCheckpoint(unreadable[0]) // says what is wrong with it
  if (checkpoint === undefined)
    throw new RunError("not-found", run.directory, "the run has no checkpoint to begin from; train it again.")
  const header = await headerOf(checkpoint.path)
  const prefix = experiment.training.emaDecay === undefined ? "" : AVERAGE
  const offered = new Map(
    trainable(parametersOf(experiment)).map(({ name }) => {
      const tensor = header.get(prefix + name)
      if (tensor === undefined)
        throw new RunError("damaged", checkpoint.path, `it holds no ${prefix}${name}; train the run again.`)
      return [name, tensor] as const
    }),
  )
  const taken = new Set([...offered.values()].map(({ stored }) => stored))
  return {
    file: {
      path: checkpoint.path,
      sha256: await knownFileDigest(checkpoint.path),
      offered,
      others: [...header.keys()].filter((name) => !taken.has(name)),
    },
    step: checkpoint.step,
  }
}

/** The run that another one began from, with the weights that it had then. @throws RunError where it is gone or changed */
const parentOf = async (run: RunReader, began: BeganFrom): Promise<RunReader | undefined> => {
  if (began.parent === undefined) return undefined
  const directory = join(run.directory, "..", began.parent.run)
  return readRun(directory).catch((error: unknown) => {
    throw new RunError(
      "not-found",
      directory,
      `the run ${run.manifest.id} stands on it, and it cannot be read; put it back beside that run.`,
      error,
    )
  })
}

/** Every file that a run's weights are in, its own first. */
const filesOfRun = async (
  run: RunReader,
): Promise<{ readonly files: readonly WeightsFile[]; readonly step: number }> => {
  const experiment = experimentOf(run)
  const own = await ownFile(run, experiment)
  const behind = await behindOf(run, experiment)
  return { files: [...(own === undefined ? [] : [own.file]), ...behind], step: own?.step ?? 0 }
}

/** Files under a run's own. A stage that trained everything is all that there is. */
const behindOf = async (run: RunReader, experiment: Experiment): Promise<readonly WeightsFile[]> => {
  const { began } = run.manifest
  const { init } = experiment
  if (began === undefined || init === undefined) return []
  const whole =
    experiment.training.stepsPerGroup > 0 && parametersOf(experiment).every(({ frozen }) => frozen !== true)
  if (whole) return []
  const parent = await parentOf(run, began)
  const files =
    parent !== undefined
      ? (await filesOfRun(parent)).files
      : "checkpoint" in init
        ? await filesOfCheckpoint(init, networkPart(experiment.model))
        : []
  const changed = began.files.find(({ sha256 }) => !files.some((file) => file.sha256 === sha256))
  if (changed !== undefined)
    throw new RunError(
      "damaged",
      run.directory,
      `the run was trained on ${changed.file} (sha256 ${changed.sha256.slice(0, 12)}), which is no longer among the weights of ${began.parent?.run ?? "its init"}: its tensors belong to that base alone. Put it back, or train the run again.`,
    )
  return files
}

const beginningOf = (
  experiment: Experiment,
  files: readonly WeightsFile[],
  parent: BeganFrom["parent"],
): Beginning => {
  const taken = takeWeights(parametersOf(experiment), files, experiment.id)
  const digests = new Map(files.map(({ path, sha256 }) => [path, sha256]))
  return {
    ...taken,
    began: {
      ...(parent === undefined ? {} : { parent }),
      files: taken.source.files.map(({ path }) => ({ file: basename(path), sha256: digests.get(path)! })),
      ...(taken.base === undefined ? {} : { base: taken.base }),
    },
  }
}

/** From a finished run of its parent, or from the checkpoint that its spec names; undefined where weights are drawn. */
export const findBeginning = async (
  experiment: Experiment,
  parent: RunReader | undefined,
): Promise<Beginning | undefined> => {
  const { init } = experiment
  if (init === undefined) return undefined
  if ("checkpoint" in init)
    return beginningOf(experiment, await filesOfCheckpoint(init, networkPart(experiment.model)), undefined)
  if (parent === undefined)
    throw new Error(`${experiment.id} begins from ${init.run}, and no run of it was given`)
  const { id, spec, profile, fingerprint } = parent.manifest
  const { files, step } = await filesOfRun(parent)
  return beginningOf(experiment, files, { run: id, spec, profile, fingerprint, step })
}

/** The weights that a finished run ended with, ready to be loaded. */
export const endOfRun = async (run: RunReader): Promise<Beginning & { readonly step: number }> => {
  const { files, step } = await filesOfRun(run)
  const { id, spec, profile, fingerprint } = run.manifest
  return { ...beginningOf(experimentOf(run), files, { run: id, spec, profile, fingerprint, step }), step }
}

/** What a run that is there began from, as it was. @throws RunError where it is gone or changed */
export const beginningOfRun = async (run: RunReader): Promise<Beginning | undefined> => {
  const { began } = run.manifest
  const experiment = experimentOf(run)
  if (began === undefined || experiment.init === undefined) return undefined
  const found = await findBeginning(experiment, await parentOf(run, began))
  if (found?.began.base !== began.base)
    throw new RunError(
      "damaged",
      run.directory,
      `the run was trained on another base (${began.base?.slice(0, 12) ?? "none"}) than the weights that are there now (${found?.began.base?.slice(0, 12) ?? "none"}): its tensors belong to that base alone. Put it back, or train the run again.`,
    )
  return found
}

/** Fetches the weights that a spec names, where it names a hub repository. */
export const fetchBeginning = async (
  { init }: Experiment,
  options: { readonly onEvent?: OnPrepareEvent; readonly signal?: AbortSignal } = {},
): Promise<void> => {
  if (init === undefined || !("checkpoint" in init)) return
  await fetchCheckpoint(init, { cacheDir: cacheDirectory() }, options)
}

/** @throws DataError where the checkpoint of a stage says that it stands on another base */
export const requireBase = (
  metadata: Readonly<Record<string, string>>,
  base: string | undefined,
  subject: string,
): void => {
  const stated = metadata["base"]
  if (stated === undefined || stated === base) return
  throw new DataError(
    "invalid",
    subject,
    `it was trained on the base ${stated.slice(0, 12)}, and the base here is ${base?.slice(0, 12) ?? "none"}: its tensors belong to that base alone. Give the spec and the parent run that it was trained with.`,
  )
}
