/** Weights of a file, to be measured without training: read, checked against the spec, and named in the run's identity. */
import { readFile } from "node:fs/promises"
import { basename } from "node:path"
import type { WeightSource } from "../engine/weights.js"
import { networkOf } from "../families/traced.js"
import { fileDigest } from "../files/digest.js"
import { fromSystemError } from "../files/errors.js"
import { parseNameMap, readCheckpoint, type Checkpoint, type NameMap } from "../inference/weights.js"
import { accountOf, type WeightsAccount } from "../inference/weights/account.js"
import { requireSchedules } from "../samplers/texts.js"
import type { ManifestInput } from "../run/manifest.js"
import type { BeganFrom } from "../run/began-from.js"
import { weightsFingerprint } from "../spec/fingerprint.js"
import type { LoadedSpec, ProfileDifference } from "../spec/spec-file.js"
import { basedWeights, type BasedWeights } from "./based-weights.js"
import type { Weights } from "./execute.js"

export interface GivenWeights extends Weights {
  readonly account: WeightsAccount
  readonly names: NameMap
  /** What they stand on, and where an executor finds it; absent for a file that holds everything. */
  readonly began?: BeganFrom
  readonly base?: WeightSource
  /** For the run's events. */
  readonly notice: string
}

/** The name map of a file; an empty one when there is none. */
export const readNameMap = async (path: string | undefined): Promise<NameMap> => {
  if (path === undefined) return {}
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw fromSystemError(error, path, "reading the name map")
  })
  return parseNameMap(text, path)
}

interface FileOptions {
  readonly names: NameMap
  /** Folder of the runs that a stage may stand on. */
  readonly runs: string
}

/**
 * A checkpoint as the network of a spec; one that holds what a stage trained alone is put on the base that its spec
 * begins from.
 *
 * @throws where the file is no checkpoint, or does not fit the experiment
 */
export const readFileWeights = async (
  file: string,
  spec: LoadedSpec,
  { names, runs }: FileOptions,
): Promise<BasedWeights & { readonly checkpoint: Checkpoint }> => {
  const { experiment } = spec
  const checkpoint = await readCheckpoint(file)
  requireSchedules(experiment, checkpoint.schedules)
  const based = await basedWeights(checkpoint, spec, networkOf(experiment), {
    names,
    ema: experiment.training.emaDecay ?? false,
    model: experiment.model,
    file,
    runs,
  })
  return { checkpoint, ...based }
}

/** The same to be measured. @throws as {@link readFileWeights} */
export const readGivenWeights = async (
  file: string,
  spec: LoadedSpec,
  options: FileOptions,
): Promise<GivenWeights> => {
  const { checkpoint, loaded, began, base } = await readFileWeights(file, spec, options)
  const sha256 = await fileDigest(file)
  return {
    parameters: loaded.parameters,
    step: checkpoint.step,
    account: accountOf(loaded, checkpoint, { file: basename(file), sha256 }),
    names: options.names,
    ...(began === undefined ? {} : { began }),
    ...(base === undefined ? {} : { base }),
    notice: `Weights from ${basename(file)} (${checkpoint.format}, sha256 ${sha256}); nothing was trained.`,
  }
}

/** What of a manifest says whose numbers these are: the experiment's, or those of given weights under it. */
export const identified = (
  fingerprint: string,
  differences: readonly ProfileDifference[],
  given: GivenWeights | undefined,
): Pick<ManifestInput, "fingerprint" | "differences" | "weights"> => {
  if (given === undefined) return { fingerprint, differences }
  const { account, names } = given
  return {
    fingerprint: weightsFingerprint(fingerprint, account.sha256, names),
    differences: [
      ...differences,
      {
        pointer: "/training/weights",
        paper: "trained as stated",
        profile: `${account.file}, sha256 ${account.sha256.slice(0, 12)}`,
      },
    ],
    weights: account,
  }
}
