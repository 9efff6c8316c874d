/**
 * The fingerprint of an experiment: equal exactly when everything that determines its numbers is equal.
 *
 * Algorithm `repro-fp1`: SHA-256 in hexadecimal over the canonical JSON (RFC 8785, UTF-8) of the decoded experiment
 * (an experiment that begins from another's result, or is judged by one, holds that one's fingerprint) without `id`, `title`, `description`, `source`, `claims` and `execution`, without `checkpointEvery`, and with digests
 * instead of paths (null where no digest is given: then the run's provenance holds it). A change of the algorithm
 * changes its name, never its meaning.
 */
import { createHash } from "node:crypto"
import { corpusKinds, corpusPart } from "../data/corpora/index.js"
import { canonicalJson } from "./canonical.js"
import type { DataContent } from "./content.js"
import type { Experiment } from "./experiment.js"
import { initIdentity } from "./init.js"
import { judgeIdentity, judgeIn } from "./judge.js"

export const FINGERPRINT_ALGORITHM = "repro-fp1"

/** What is hashed. Profiles differ here, executions never do. */
export const identityOf = (experiment: Experiment): unknown => {
  const { system, init, data, model, objective, training, evaluations } = experiment
  const { checkpointEvery: _checkpointEvery, ...trained } = training
  return {
    system,
    ...(init === undefined ? {} : { init: initIdentity(init) }),
    data: {
      ...data,
      corpus: corpusIdentity(data.corpus),
      tokenizer: tokenizerIdentity(data.tokenizer),
    },
    model,
    objective,
    training: trained,
    evaluations: evaluations.map((evaluation) => {
      const judge = judgeIn(evaluation)
      return withoutPaths(judge === undefined ? evaluation : { ...evaluation, judge: judgeIdentity(judge) })
    }),
  }
}

/** What lies at `source` is known by the digest beside it, wherever it lies. */
const withoutPaths = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutPaths)
  if (typeof value !== "object" || value === null) return value
  const found = Object.entries(value).filter(([key]) => !(key === "source" && "sha256" in value))
  return Object.fromEntries(found.map(([key, each]) => [key, withoutPaths(each)]))
}

/** A corpus of no registered kind is what it says, whole. */
const corpusIdentity = (corpus: Experiment["data"]["corpus"]): unknown =>
  corpusKinds().includes(corpus.kind) ? corpusPart(corpus).identity(corpus) : corpus

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

/** Whether a fingerprint is that of weights which were scored without being trained. */
export const isOfWeights = (text: string): boolean => text.startsWith(`${FINGERPRINT_ALGORITHM}+weights:`)

/** The experiment with the digests that its spec leaves out: stating a digest changes no fingerprint of a run. */
export const withContent = (experiment: Experiment, content: DataContent): Experiment => {
  const { corpus, tokenizer } = experiment.data
  return {
    ...experiment,
    data: {
      ...experiment.data,
      corpus: corpusPart(corpus).withContent(corpus, content) as typeof corpus,
      tokenizer: tokenizer.model.startsWith("file:")
        ? { ...tokenizer, sha256: content.tokenizer.sha256 }
        : tokenizer,
    },
  }
}

/**
 * The fingerprint of a run: that of its experiment with every digest filled in. What `speeches` are is fixed by the
 * tarball's digest and the tokenizer. A hub repository's files are not fixed by its name, so their digests are added:
 * `repro-fp1+data` and SHA-256 over the experiment's fingerprint and the digests of tokenizer, training and validation
 * shards, each on a line of its own.
 */
export const runFingerprint = (experiment: Experiment, content: DataContent): string => {
  const own = fingerprint(withContent(experiment, content))
  if (!corpusPart(experiment.data.corpus).digestsIdentify) return own
  const digests = [content.tokenizer, ...content.train, ...content.validation].map(({ sha256 }) => sha256)
  const digest = createHash("sha256")
    .update([own, String(content.train.length), ...digests].join("\n"), "utf8")
    .digest("hex")
  return `${FINGERPRINT_ALGORITHM}+data:${digest}`
}

/** Files whose content the experiment does not fix: whether they are those of another run, only their digests tell. */
export const unstatedFiles = ({ data: { corpus, tokenizer } }: Experiment): readonly string[] => [
  ...corpusPart(corpus).unstated(corpus),
  ...(tokenizer.model.startsWith("file:") && tokenizer.sha256 === undefined
    ? [tokenizer.model.replace(/^file:/, "")]
    : []),
]

/** Paths that have a stated digest but are not listed as shards: such a digest is compared with nothing. */
export const strayDigests = ({ data: { corpus } }: Experiment): readonly string[] =>
  corpusPart(corpus).strayDigests(corpus)
