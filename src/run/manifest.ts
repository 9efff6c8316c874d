/** `manifest.json`: what a run is, written when the run is made; the records of its files are added as they are written. */
import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import type { DataContent } from "../spec/content.js"
import type { WeightsAccount } from "../inference/weights/account.js"
import type { BeganFrom } from "./began-from.js"
import { RunError, runErrorFrom } from "./errors.js"
import type { Json } from "./events.js"
import type { FileRecords } from "./records.js"
import type { Provenance } from "./provenance.js"

/** One place where a run's experiment is not the published one; an absent value is left out. */
export interface Difference {
  /** JSON pointer into the experiment. */
  readonly pointer: string
  /** Value of the published experiment. */
  readonly paper?: unknown
  /** Value of this run. */
  readonly profile?: unknown
}

export interface RunManifest {
  readonly format: "repro-run"
  readonly version: 1
  readonly id: string
  /** Id of the experiment. */
  readonly spec: string
  readonly profile: string
  /** Fingerprint of the experiment with the profile applied and the digests of its data. */
  readonly fingerprint: string
  /** ISO time. */
  readonly started: string
  /** The spec file as it was given, byte for byte, and its SHA-256. */
  readonly source: { readonly text: string; readonly sha256: string }
  /** The experiment with the profile applied. */
  readonly experiment: Json
  readonly plan: Json
  /** What differs from the published experiment; empty for a run as published. */
  readonly differences: readonly Difference[]
  /** What the command line set, as it was given; already part of source and experiment. */
  readonly settings?: readonly string[]
  /** Digests of tokenizer and shards; absent in runs of earlier versions. */
  readonly data?: DataContent
  readonly provenance: Provenance
  /** Weights that were trained elsewhere: which of them were scored. Absent for a run that trains its own. */
  readonly weights?: WeightsAccount
  /** The weights that it began with; absent where they were drawn. */
  readonly began?: BeganFrom
  /** Length and digest of each of the run's files by path, so that a copy can be verified; absent in runs of earlier versions. */
  readonly files?: FileRecords
}

/** What a caller gives; the rest of the manifest is filled in. */
export interface ManifestInput {
  readonly spec: string
  readonly profile: string
  readonly fingerprint: string
  readonly specText: string
  readonly experiment: Json
  readonly plan: Json
  readonly differences: readonly Difference[]
  /** What the command line set, as it was given; already part of source and experiment. */
  readonly settings?: readonly string[]
  readonly data?: DataContent
  readonly provenance: Provenance
  readonly weights?: WeightsAccount
  readonly began?: BeganFrom
}

/** `20260131T142530Z-mdlm_eos-laptop-1a2b3c4d`: sorts by time, says what it is. */
export const runId = (
  started: Date,
  { spec, profile, fingerprint }: Pick<ManifestInput, "spec" | "profile" | "fingerprint">,
): string => {
  const time = started
    .toISOString()
    .replace(/\.\d+Z$/, "Z")
    .replace(/[-:]/g, "")
  const short = fingerprint.replace(/^.*[:/]/, "").slice(0, 8)
  return [time, spec, profile, short].map((part) => part.replace(/[^A-Za-z0-9._-]+/g, "_")).join("-")
}

export const makeManifest = (id: string, started: Date, input: ManifestInput): RunManifest => ({
  format: "repro-run",
  version: 1,
  id,
  spec: input.spec,
  profile: input.profile,
  fingerprint: input.fingerprint,
  started: started.toISOString(),
  source: {
    text: input.specText,
    sha256: createHash("sha256").update(input.specText).digest("hex"),
  },
  experiment: input.experiment,
  plan: input.plan,
  differences: input.differences,
  ...(input.settings === undefined ? {} : { settings: input.settings }),
  ...(input.data === undefined ? {} : { data: input.data }),
  provenance: input.provenance,
  ...(input.weights === undefined ? {} : { weights: input.weights }),
  ...(input.began === undefined ? {} : { began: input.began }),
  files: {},
})

const REQUIRED = ["id", "spec", "profile", "fingerprint", "started"] as const

/** @throws RunError `not-found`, or `damaged` when it is not the manifest of a run. */
export const readManifest = async (path: string): Promise<RunManifest> => {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    throw runErrorFrom(error, path, "reading the run's manifest")
  })
  let value: Partial<RunManifest>
  try {
    value = JSON.parse(text) as Partial<RunManifest>
  } catch (error) {
    throw new RunError("damaged", path, "it is not JSON; restore it from a copy of the run.", error)
  }
  if (value?.format !== "repro-run") {
    throw new RunError("damaged", path, 'its "format" is not "repro-run"; it belongs to another program.')
  }
  if (value.version !== 1) {
    throw new RunError(
      "damaged",
      path,
      `its version is ${JSON.stringify(value.version)}, this program reads 1; use the version that wrote it.`,
    )
  }
  const missing = REQUIRED.find((key) => typeof value[key] !== "string")
  if (missing !== undefined || !Array.isArray(value.differences) || value.source === undefined) {
    throw new RunError(
      "damaged",
      path,
      `"${missing ?? (value.source === undefined ? "source" : "differences")}" is missing; restore it from a copy of the run.`,
    )
  }
  const { text: spec, sha256 } = value.source as Partial<RunManifest["source"]>
  if (typeof spec !== "string" || createHash("sha256").update(spec).digest("hex") !== sha256) {
    throw new RunError(
      "damaged",
      path,
      `the SHA-256 of /source/text is not /source/sha256 (${JSON.stringify(sha256)}): one of them was changed; restore it from a copy of the run.`,
    )
  }
  return value as RunManifest
}
