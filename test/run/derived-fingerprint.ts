/** The fingerprint that a stored run must have, by what its manifest holds. */
import type { DataContent } from "../../src/spec/content.js"
import type { Experiment } from "../../src/spec/experiment.js"
import { FINGERPRINT_ALGORITHM, fingerprint, runFingerprint } from "../../src/spec/fingerprint.js"

export interface StoredManifest {
  readonly experiment: Experiment
  readonly fingerprint: string
  /** Missing in runs of versions that recorded no digests. */
  readonly data?: DataContent
}

/** With the digests of the data where the run was stored under them. */
export const derivedFingerprint = ({ experiment, fingerprint: stored, data }: StoredManifest): string =>
  stored.startsWith(`${FINGERPRINT_ALGORITHM}+data:`)
    ? runFingerprint(experiment, data!)
    : fingerprint(experiment)
