/** What a manifest says twice, compared: its spec's text gives experiment, differences and fingerprint again. */
import { canonicalJson } from "../spec/canonical.js"
import type { Experiment } from "../spec/experiment.js"
import { fingerprint, isOfWeights, runFingerprint } from "../spec/fingerprint.js"
import { SpecError } from "../spec/spec-error.js"
import { decodeSpec, type LoadedSpec, type Profile } from "../spec/spec-file.js"
import type { Difference, RunManifest } from "./manifest.js"

type Described = Pick<
  RunManifest,
  "source" | "profile" | "differences" | "fingerprint" | "data" | "files" | "weights"
>

/** Where weights from elsewhere were scored; no spec says it. */
const WEIGHTS = "/training/weights"

/** The source under a profile; undefined when this version of the program does not read it. */
const sourceAs = (text: string, profile: Profile): LoadedSpec | undefined => {
  try {
    return decodeSpec(text, "manifest.json", profile)
  } catch (error) {
    if (error instanceof SpecError) return undefined
    throw error
  }
}

const ofSpec = (differences: readonly Difference[]): readonly Difference[] =>
  differences.filter(({ pointer }) => pointer !== WEIGHTS)

/** `repro eval` may measure some of the evaluations alone. */
const withEvaluationsOf = (experiment: Experiment, { evaluations }: Experiment): Experiment => {
  const ids = new Set(evaluations.map(({ id }) => id))
  const measured = experiment.evaluations.filter(({ id }) => ids.has(id))
  return { ...experiment, evaluations: measured as unknown as Experiment["evaluations"] }
}

/**
 * Every place where the manifest contradicts itself, as clauses; empty where it does not, and where its spec is not one
 * that this version reads. Runs that recorded no digests are of versions whose sweeps kept the text of the whole grid:
 * of those it is asked alone whether a run that names no difference is as published.
 */
export const contradictions = (manifest: Described, experiment: Experiment): readonly string[] => {
  const { source, profile, differences, data } = manifest
  const found: string[] = []
  const own = fingerprint(experiment)
  const possible = [own, ...(data === undefined ? [] : [runFingerprint(experiment, data)])]
  if (!isOfWeights(manifest.fingerprint) && !possible.includes(manifest.fingerprint))
    found.push(`/fingerprint is ${manifest.fingerprint}, but that of /experiment is ${possible.at(-1)}`)
  const paper = sourceAs(source.text, "paper")
  const stated = ofSpec(differences)
  if (paper !== undefined && stated.length === 0 && paper.fingerprint !== fingerprint(experiment)) {
    if (fingerprint(withEvaluationsOf(paper.experiment, experiment)) !== own)
      found.push("/differences is empty, but /experiment is not the published one of /source/text")
  }
  if (manifest.files === undefined) return found
  const spec = sourceAs(source.text, profile as Profile)
  if (spec === undefined) return found
  if (fingerprint(withEvaluationsOf(spec.experiment, experiment)) !== own)
    found.push(`/experiment is not that of /source/text with the profile ${profile}`)
  if (found.length === 0 && canonicalJson(stated) !== canonicalJson(spec.differences))
    found.push("/differences are not those between /experiment and the published one of /source/text")
  return found
}
