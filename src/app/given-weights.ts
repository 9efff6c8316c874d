/** Weights of a file, to be measured without training: read, checked against the spec, and named in the run's identity. */
import { readFile } from "node:fs/promises"
import { basename } from "node:path"
import { networkOf } from "../families/traced.js"
import { fileDigest } from "../files/digest.js"
import { fromSystemError } from "../files/errors.js"
import { parseNameMap, readCheckpoint, type NameMap } from "../inference/weights.js"
import { accountOf, type WeightsAccount } from "../inference/weights/account.js"
import { requireSchedules } from "../samplers/texts.js"
import type { ManifestInput } from "../run/manifest.js"
import type { BeganFrom } from "../run/began-from.js"
import { weightsFingerprint } from "../spec/fingerprint.js"
import type { LoadedSpec, ProfileDifference } from "../spec/spec-file.js"
import { basedWeights } from "./based-weights.js"
import type { Weights } from "./execute.js"

export interface GivenWeights extends Weights {
  readonly account: WeightsAccount
  readonly names: NameMap
  /** What they stand on; absent for a file that holds everything. */
  readonly began?: BeganFrom
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

/**
 * The weights of a file; one that holds what a stage trained alone is put on the base that its spec begins from.
 *
 * @throws where the file is no checkpoint, or does not fit the experiment's network
 */
export const readGivenWeights = async (
  file: string,
  spec: LoadedSpec,
  { names, runs }: { readonly names: NameMap; readonly runs: string },
): Promise<GivenWeights> => {
  const { experiment } = spec
  const checkpoint = await readCheckpoint(file)
  const { loaded, began } = await basedWeights(checkpoint, spec, networkOf(experiment), {
    names,
    ema: experiment.training.emaDecay ?? false,
    model: experiment.model,
    file,
    runs,
  })
  requireSchedules(experiment, checkpoint.schedules)
  const sha256 = await fileDigest(file)
  return {
    parameters: loaded.parameters,
    step: checkpoint.step,
    account: accountOf(loaded, checkpoint, { file: basename(file), sha256 }),
    names,
    ...(began === undefined ? {} : { began }),
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
