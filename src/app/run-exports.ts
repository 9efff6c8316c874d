/** A run in the forms that other tools read: an Every-Eval-Ever record and a Workflow Run Crate. */
import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { writeEveryEvalEver } from "../report/interchange/every-eval-ever.js"
import { writeRunCrate, type CrateFile } from "../report/interchange/run-crate.js"
import type { ResultsTable } from "../analysis/table.js"
import type { RunReader } from "../run/directory.js"
import { experimentOf } from "../run/experiment-of.js"

/** Files of the run directory that go into the crate; evidence stays in the run directory, it may be large. */
const COPIED = [
  ["manifest.json", "application/json", "What the run is: spec, plan, provenance"],
  ["events.ndjson", "application/x-ndjson", "What happened, in order"],
  ["results.json", "application/json", "The results table, computed from evidence"],
] as const

interface Copy {
  readonly file: CrateFile
  readonly content: string
}

const copyOf = (path: string, mediaType: string, description: string, content: string): Copy => ({
  content,
  file: {
    path,
    mediaType,
    description,
    bytes: Buffer.byteLength(content),
    sha256: createHash("sha256").update(content).digest("hex"),
  },
})

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** The crate's metadata, the record, the spec and the run's own documents, by file name. */
export const runExports = async (
  run: RunReader,
  table: ResultsTable,
): Promise<readonly (readonly [name: string, content: string])[]> => {
  const { manifest } = run
  const { provenance } = manifest
  const executor = { name: provenance.executor.name, version: provenance.executor.version }
  const events = await run.events()
  const ended = events.findLast(({ type }) => type === "finished")?.time
  const record = writeEveryEvalEver(table, {
    id: manifest.id,
    spec: manifest.spec,
    started: manifest.started,
    program: provenance.repro,
    executor,
    model: `${manifest.spec}-${manifest.profile}`,
  })
  const copies = await Promise.all(
    COPIED.map(async ([name, mediaType, description]) =>
      copyOf(`run/${name}`, mediaType, description, await readFile(join(run.directory, name), "utf8")),
    ),
  )
  const recordCopy = copyOf(
    "every-eval-ever.json",
    "application/json",
    "The run's values as an Every-Eval-Ever record",
    json(record),
  )
  const specCopy = copyOf(
    provenance.spec.file,
    "application/json",
    "The experiment's spec, as it was given",
    manifest.source.text,
  )
  const crate = writeRunCrate({
    id: manifest.id,
    title: table.header.title,
    description:
      `${table.header.title}, profile ${manifest.profile}. ${table.header.verdict.join(" ")}`.trim(),
    profile: manifest.profile,
    fingerprint: manifest.fingerprint,
    started: manifest.started,
    ...(ended === undefined ? {} : { ended }),
    program: { version: provenance.repro },
    executor,
    spec: specCopy.file,
    files: [recordCopy, ...copies].map(({ file }) => file),
    source: experimentOf(run).source,
  })
  return [
    ["ro-crate-metadata.json", json(crate)],
    ...[specCopy, recordCopy, ...copies].map(({ file, content }) => [file.path, content] as const),
  ]
}
