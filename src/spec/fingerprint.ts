/**
 * The fingerprint of an experiment: equal exactly when everything that determines its numbers is equal.
 *
 * Algorithm `repro-fp1`: SHA-256 in hexadecimal over the canonical JSON (RFC 8785, UTF-8) of the decoded experiment
 * without `id`, `title`, `description`, `source`, `claims` and `execution`, without `checkpointEvery`, and with digests
 * instead of paths (null where no digest is given: then the run's provenance holds it). A change of the algorithm
 * changes its name, never its meaning.
 */
import { createHash } from "node:crypto"
import { canonicalJson } from "./canonical.js"
import type { Experiment } from "./experiment.js"

export const FINGERPRINT_ALGORITHM = "repro-fp1"

/** What is hashed. Profiles differ here, executions never do. */
export const identityOf = (experiment: Experiment): unknown => {
  const { system, data, model, objective, training, evaluations } = experiment
  const { checkpointEvery: _checkpointEvery, ...trained } = training
  return {
    system,
    data: { ...data, corpus: corpusIdentity(data.corpus), tokenizer: tokenizerIdentity(data.tokenizer) },
    model,
    objective,
    training: trained,
    evaluations,
  }
}

const corpusIdentity = (corpus: Experiment["data"]["corpus"]): unknown => {
  if (corpus.kind === "speeches") {
    const { source: _source, ...rest } = corpus
    return rest
  }
  if (corpus.kind === "files") {
    const digests = (paths: readonly string[]) => paths.map((path) => corpus.sha256?.[path] ?? null)
    return { kind: corpus.kind, train: digests(corpus.train), validation: digests(corpus.validation) }
  }
  return corpus
}

const tokenizerIdentity = (tokenizer: Experiment["data"]["tokenizer"]): unknown =>
  tokenizer.model.startsWith("file:") ? { ...tokenizer, model: "file" } : tokenizer

/** For example `repro-fp1:9f86d0...` (64 hexadecimal digits). */
export const fingerprint = (experiment: Experiment): string => {
  const digest = createHash("sha256")
    .update(canonicalJson(identityOf(experiment)), "utf8")
    .digest("hex")
  return `${FINGERPRINT_ALGORITHM}:${digest}`
}

/**
 * The fingerprint of weights scored under an experiment without being trained by it: the weights determine the numbers
 * too. `repro-fp1+weights` and SHA-256 over the experiment's fingerprint, a line feed and the file's SHA-256; with a
 * name map, which decides which of the file's tensors are scored, also a line feed and its canonical JSON.
 */
export const weightsFingerprint = (
  experiment: string,
  weightsSha256: string,
  names: Readonly<Record<string, string | null>> = {},
): string => {
  const map = Object.keys(names).length === 0 ? "" : `\n${canonicalJson(names)}`
  const digest = createHash("sha256").update(`${experiment}\n${weightsSha256}${map}`, "utf8").digest("hex")
  return `${FINGERPRINT_ALGORITHM}+weights:${digest}`
}
