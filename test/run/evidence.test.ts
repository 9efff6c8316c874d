/** Evidence on disk: version 2 shares what evaluations have in common, version 1 reads the same. */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { test } from "tap"
import { evidenceMetadata, parseEvidenceHeader, type EvidenceHeader } from "../../src/evaluators/evidence.js"
import { narrow } from "../../src/evaluators/stored-evidence.js"
import { writeSafetensors, type StoredTensor } from "../../src/files/safetensors.js"
import { createRun, readRun } from "../../src/run/directory.js"
import { clock, input, temporary } from "./support.js"

const PIECES = Array.from({ length: 1024 }, (_, i) => ({ piece: `piece ${i}`, type: "normal" as const }))

const headerOf = (id: string, version: number): EvidenceHeader => ({
  format: "repro-evidence",
  version,
  evaluation: {
    kind: "any-order",
    id,
    windows: { length: 3, count: 2, alignment: "raw-stream" },
    draws: 1,
    seed: 0,
  },
  split: { name: "validation", tokens: 7, digests: ["sha256:x"], available: 2, windows: 2 },
  tokenizer: {
    id: "sp1024",
    digest: "sha256:y",
    vocabSize: 1024,
    boundaryId: 1,
    maskId: 1024,
    padId: 1025,
    pieces: PIECES,
  },
  objective: { eps: 1e-3, boundary: "maskable" },
  step: 3,
  executor: { name: "none", version: "0", precision: "fp32" },
  forwards: 2,
  seconds: 0.5,
})

const i32 = (data: readonly number[], shape = [data.length]): StoredTensor => ({
  dtype: "I32",
  shape,
  data: Int32Array.from(data),
})
const f64 = (...data: readonly number[]): StoredTensor => ({
  dtype: "F64",
  shape: [data.length],
  data: Float64Array.from(data),
})

const TENSORS: Readonly<Record<string, StoredTensor>> = {
  tokens: i32([1, 2, 1023, 4, 5, 1025], [2, 3]),
  starts: i32([0, 3]),
  previous: i32([-1, 1023]),
  following: i32([4, -1]),
  masked: i32([3, 70_000]),
  nats: f64(Math.fround(0.1), Number.POSITIVE_INFINITY, -0),
  sums: f64(0.1, 1),
}

test("what evaluations share is stored once, and evidence reads back whole and exact", async (t) => {
  const run = await createRun(await temporary(t), input, { now: clock() })
  const items = [
    { item: "q1", prompt: "1+1=", tokens: [5, 6], text: "2\n", forwards: 4, exit: "end" },
    { item: "q2", prompt: "é\u2028", tokens: [], text: "", forwards: 4, exit: "length" },
  ]
  await run.writeEvidence("one", TENSORS, evidenceMetadata(headerOf("one", 2)))
  await run.writeEvidence("two", TENSORS, evidenceMetadata(headerOf("two", 2)))
  await run.writeEvidence("asked", {}, evidenceMetadata(headerOf("asked", 2)), items)
  const folder = join(run.directory, "evidence")
  t.same(await run.evidence(), ["asked", "one", "two"])
  t.match((await readdir(join(folder, "shared"))).sort(), [/^pieces-/, /^windows-/])
  t.equal((await readdir(join(folder, "shared"))).length, 2)
  for (const id of ["one", "two"]) {
    const { tensors, metadata } = await run.readEvidence(id)
    t.strictSame(Object.fromEntries(tensors), TENSORS, "values and element types")
    t.ok(Object.is((tensors.get("nats")!.data as Float64Array)[2], -0))
    t.strictSame(parseEvidenceHeader(metadata, id), headerOf(id, 2))
    const bytes = await readFile(join(folder, `${id}.safetensors`))
    t.notOk(bytes.includes("piece 1023"), "the pieces are not in the evaluation's own file")
  }
  const asked = await run.readEvidence("asked")
  t.strictSame(asked.items, items)
  t.equal(asked.tensors.size, 0)
  t.equal((await readFile(join(folder, "asked.ndjson"), "utf8")).trim().split("\n").length, 2)

  await writeFile(join(folder, "asked.ndjson"), `${JSON.stringify(items[0])}\n`)
  await t.rejects(run.readEvidence("asked"), /not what the evidence names/)
  const [pieces] = (await readdir(join(folder, "shared"))).filter((name) => name.startsWith("pieces"))
  await writeFile(join(folder, "shared", pieces!), "[]")
  await t.rejects(run.readEvidence("one"), /not what the evidence names/)
  await rm(join(folder, "shared", pieces!))
  await t.rejects(run.readEvidence("one"), new RegExp(pieces!))
  await run.close()
})

test("version 1, which has everything in its one file, reads the same", async (t) => {
  const run = await createRun(await temporary(t), input, { now: clock() })
  const path = join(run.directory, "evidence", "one.safetensors")
  await mkdir(join(run.directory, "evidence"), { recursive: true })
  await writeSafetensors(path, TENSORS, evidenceMetadata(headerOf("one", 1)))
  // Runs of that version recorded no digests.
  await run.close()
  const manifest = join(run.directory, "manifest.json")
  const { files: _, ...before } = JSON.parse(await readFile(manifest, "utf8")) as Record<string, unknown>
  await writeFile(manifest, JSON.stringify(before))
  const { tensors, metadata } = await (await readRun(run.directory)).readEvidence("one")
  t.strictSame(Object.fromEntries(tensors), TENSORS)
  t.strictSame(parseEvidenceHeader(metadata, "one"), headerOf("one", 1))
  t.throws(
    () => parseEvidenceHeader(evidenceMetadata(headerOf("one", 3)), "one"),
    /its format is version 3, this program reads 1 and 2/,
  )
})

const types = (tensor: StoredTensor): string => narrow(tensor).dtype

test("a tensor is narrowed only where every value stays the same", (t) => {
  t.equal(types(i32([0, 255])), "U8")
  t.equal(types(i32([-1, 127])), "I8")
  t.equal(types(i32([0, 65_535])), "U16")
  t.equal(types(i32([-1, 32_767])), "I16")
  t.equal(types(i32([-1, 32_768])), "I32")
  t.equal(types(f64(0.5, Number.NaN, Number.POSITIVE_INFINITY)), "F32")
  t.equal(types(f64(0.5, 0.1)), "F64")
  t.equal(types(f64(1e300)), "F64")
  t.end()
})
