/** A run as `ro-crate-metadata.json` under the Workflow Run Crate profile 0.5. */

export interface CrateFile {
  /** Path inside the run directory. */
  readonly path: string
  readonly bytes?: number
  readonly sha256?: string
  readonly description: string
  readonly mediaType: string
}

export interface CrateRun {
  readonly id: string
  readonly title: string
  readonly description: string
  readonly profile: string
  readonly fingerprint: string
  /** ISO times; `ended` is absent while the run is not finished. */
  readonly started: string
  readonly ended?: string
  readonly program: { readonly version: string }
  readonly executor: { readonly name: string; readonly version: string }
  /** The spec file inside the crate. */
  readonly spec: CrateFile
  readonly files: readonly CrateFile[]
  /** Address of the published experiment. */
  /** Absent: an experiment of nobody else. */
  readonly source?: { readonly title: string; readonly url: string } | undefined
}

const PROFILES = [
  ["https://w3id.org/ro/wfrun/process/0.5", "Process Run Crate", "0.5"],
  ["https://w3id.org/ro/wfrun/workflow/0.5", "Workflow Run Crate", "0.5"],
  ["https://w3id.org/workflowhub/workflow-ro-crate/1.0", "Workflow RO-Crate", "1.0"],
] as const

const reference = (id: string) => ({ "@id": id })

const fileEntity = (file: CrateFile, types: readonly string[] = []): Record<string, unknown> => ({
  "@id": file.path,
  "@type": types.length === 0 ? "File" : ["File", ...types],
  name: file.path,
  description: file.description,
  encodingFormat: file.mediaType,
  ...(file.bytes === undefined ? {} : { contentSize: String(file.bytes) }),
  ...(file.sha256 === undefined ? {} : { sha256: file.sha256 }),
})

/** The crate's metadata document; equal runs give equal documents. */
export const writeRunCrate = (run: CrateRun): Record<string, unknown> => ({
  "@context": ["https://w3id.org/ro/crate/1.1/context", "https://w3id.org/ro/terms/workflow-run/context"],
  "@graph": [
    {
      "@id": "ro-crate-metadata.json",
      "@type": "CreativeWork",
      about: reference("./"),
      conformsTo: [reference("https://w3id.org/ro/crate/1.1"), reference(PROFILES[2][0])],
    },
    {
      "@id": "./",
      "@type": "Dataset",
      name: `${run.title}, run ${run.id}`,
      description: run.description,
      datePublished: run.ended ?? run.started,
      license: reference("https://www.apache.org/licenses/LICENSE-2.0"),
      conformsTo: PROFILES.map(([id]) => reference(id)),
      hasPart: [run.spec, ...run.files].map((file) => reference(file.path)),
      mainEntity: reference(run.spec.path),
      mentions: reference("#run"),
      ...(run.source === undefined ? {} : { isBasedOn: reference(run.source.url) }),
    },
    ...PROFILES.map(([id, name, version]) => ({ "@id": id, "@type": "CreativeWork", name, version })),
    {
      "@id": "https://www.apache.org/licenses/LICENSE-2.0",
      "@type": "CreativeWork",
      name: "Apache License 2.0",
    },
    ...(run.source === undefined
      ? []
      : [{ "@id": run.source.url, "@type": "CreativeWork", name: run.source.title, url: run.source.url }]),
    {
      ...fileEntity(run.spec, ["SoftwareSourceCode", "ComputationalWorkflow"]),
      name: run.title,
      programmingLanguage: reference("#repro-spec"),
      identifier: run.fingerprint,
    },
    { "@id": "#repro-spec", "@type": "ComputerLanguage", name: "repro spec (JSON)" },
    { "@id": "#repro", "@type": "SoftwareApplication", name: "repro", softwareVersion: run.program.version },
    {
      "@id": "#executor",
      "@type": "SoftwareApplication",
      name: run.executor.name,
      softwareVersion: run.executor.version,
    },
    {
      "@id": "#engine-run",
      "@type": "OrganizeAction",
      instrument: reference("#repro"),
      result: reference("#run"),
    },
    {
      "@id": "#run",
      "@type": "CreateAction",
      name: `Run ${run.id}, profile ${run.profile}`,
      instrument: reference(run.spec.path),
      object: reference(run.spec.path),
      result: run.files.map((file) => reference(file.path)),
      startTime: run.started,
      ...(run.ended === undefined ? {} : { endTime: run.ended }),
      actionStatus:
        run.ended === undefined
          ? "http://schema.org/ActiveActionStatus"
          : "http://schema.org/CompletedActionStatus",
    },
    ...run.files.map((file) => fileEntity(file)),
  ],
})
