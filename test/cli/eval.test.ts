/** `repro eval`: weights from elsewhere, from file to table. */
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Option from "effect/Option"
import { test, type Test } from "tap"
import { evaluateCheckpoint, type EvalInput } from "../../src/app/eval.js"
import { writeShard } from "../../src/data/rows/shards.js"
import { writeSafetensors } from "../../src/files/safetensors.js"
import { networkOf } from "../../src/families/traced.js"
import { storedState } from "../../src/run/checkpoint.js"
import { readRun } from "../../src/run/directory.js"
import { decodeSpec } from "../../src/spec/spec-file.js"
import { initialState } from "../../src/train/state.js"
import { syntheticTokens } from "../train/tiny.js"
import { invoke } from "./harness.js"

const root = fileURLToPath(new URL("../..", import.meta.url))

interface Published {
  readonly data: { readonly tokenizer: object; readonly batching: object }
  readonly model: object
}

/** mdlm_nelbo cut down to a network of 16 and shards of random tokens. */
const smallSpec = async (folder: string): Promise<string> => {
  const shard = async (name: string, salt: number, count: number): Promise<string> => {
    await writeShard(join(folder, name), syntheticTokens(count, salt))
    return `file:${join(folder, name)}`
  }
  const published = JSON.parse(
    await readFile(join(root, "specs/mdlm_nelbo.json"), "utf8"),
  ) as unknown as Published
  const { data, model } = published
  const windows = { length: 32, count: 8, alignment: "raw-stream" }
  const path = join(folder, "small.json")
  const spec = {
    ...published,
    id: "small",
    claims: [],
    data: {
      ...data,
      corpus: {
        kind: "files",
        train: [await shard("train.bin", 1, 3000)],
        validation: [await shard("val.bin", 3, 1500)],
      },
      tokenizer: { ...data.tokenizer, model: "embedded" },
      batching: { ...data.batching, length: 32 },
    },
    model: { ...model, layers: 1, width: 16, heads: 2 },
    evaluations: [
      { kind: "any-order", id: "any-order", windows, draws: 4, seed: 1 },
      { kind: "chain-rule", id: "left-to-right", windows, order: "left-to-right", seed: 1 },
    ],
    execution: { engine: "onnxruntime", device: "cpu", precision: "fp32", threads: 1 },
    profiles: {},
  }
  await writeFile(path, JSON.stringify(spec))
  return path
}

interface Result {
  readonly run: string
  readonly fingerprint: string
  readonly weights: { readonly file: string; readonly sha256: string }
  readonly header: {
    readonly verdict: readonly string[]
    readonly weights: { readonly set: string; readonly leftOut: readonly string[] }
  }
  readonly rows: readonly { readonly id: string; readonly value: number | null; readonly boundKind: string }[]
}

void test("a checkpoint from elsewhere is scored without training", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "repro-eval-"))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const spec = await smallSpec(folder)
  const { experiment } = decodeSpec(await readFile(spec, "utf8"), spec, "paper")
  const state = initialState(networkOf(experiment), experiment.training)
  // A head of zeros under other names: every prediction uniform over 1024 tokens.
  const tensors = Object.fromEntries(
    Object.entries(storedState(state)).map(([name, tensor]) => [
      `net.${name}`,
      name === "head.weight" ? { ...tensor, data: new Float32Array(tensor.data.length) } : tensor,
    ]),
  )
  const checkpoint = join(folder, "foreign.safetensors")
  await writeSafetensors(checkpoint, {
    ...tensors,
    "net.old.moment": { dtype: "F32", shape: [1], data: Float32Array.of(1) },
  })
  await writeFile(join(folder, "names.json"), '{"net.": ""}')
  const runs = join(folder, "runs")
  const input: EvalInput = {
    checkpoint,
    spec,
    profile: "paper",
    evaluation: Option.none(),
    names: Option.some(join(folder, "names.json")),
    engine: Option.none(),
    precision: Option.none(),
    device: Option.none(),
    threads: Option.none(),
    xla: Option.none(),
    runs,
    json: true,
  }
  await t.rejects(
    evaluateCheckpoint({ ...input, names: Option.none() }),
    /foreign\.safetensors: it lacks .* tensors: wte\.weight.*--names/,
  )
  t.same(await readdir(folder).then((names) => names.includes("runs")), false, "nothing is left behind")

  const { json } = await evaluateCheckpoint(input)
  const result = json as Result
  t.match(result.fingerprint, /^repro-fp1\+weights:[0-9a-f]{64}$/)
  t.equal(result.weights.file, "foreign.safetensors")
  t.match(
    result.header.verdict[0],
    /foreign\.safetensors, sha256 [0-9a-f]{12}/,
    "the table says whose weights",
  )
  const row = (id: string) => result.rows.find((each) => each.id === id)!
  // log2 1024 bits for each token of random text; fp32 log-sum-exp.
  for (const id of ["any-order", "left-to-right"])
    t.ok(
      Math.abs(row(`${id}/bits-per-token`).value! - 10) < 1e-5,
      `${id}: ${row(`${id}/bits-per-token`).value}`,
    )
  t.equal(row("any-order/bits-per-byte").boundKind, "upper-bound")
  t.equal(row("left-to-right/bits-per-byte").boundKind, "exact")
  const run = await readRun(join(runs, result.run))
  t.same(await run.evidence(), ["any-order", "floors", "left-to-right"])
  t.same(await run.checkpoints(), [], "nothing was trained")
  t.match(JSON.stringify(await run.events()), /Weights from foreign\.safetensors \(safetensors, sha256 /)

  const said = "Weights scored: the weights by their plain names (raw) in foreign.safetensors"
  t.match(result.header.verdict.join(" "), said)
  const { leftOut, ...account } = result.header.weights
  t.match(account, { set: "raw", under: "net.", scored: 16, absent: [], buffers: [] })
  t.same(
    leftOut,
    [...Object.keys(tensors), "net.old.moment"].filter((name) => /adam|old/.test(name)).sort(),
    "an optimiser's moments and a stray tensor",
  )
  t.match(result.header.verdict.join(" "), ", net.old.moment.")
  t.same(run.manifest.weights, result.header.weights, "the manifest holds the same account")
  t.equal((await invoke("report", result.run, "--runs", runs, "--out", join(folder, "report"))).code, 0)
  for (const name of ["table.md", "table.html", "table.json"])
    t.match(await readFile(join(folder, "report", name), "utf8"), "net.old.moment", `${name} names it too`)

  const table = await invoke("table", result.run, "--runs", runs, "--json")
  t.equal(table.code, 0, table.stderr)
  t.same(
    (JSON.parse(table.stdout) as Result).rows.map(({ id, value }) => [id, value]),
    result.rows.map(({ id, value }) => [id, value]),
    "the table again, from evidence",
  )

  const one = await evaluateCheckpoint({ ...input, evaluation: Option.some("left-to-right") })
  t.not((one.json as Result).fingerprint, result.fingerprint)
  t.notOk((one.json as Result).rows.some(({ id }) => id.startsWith("any-order/")))
  const wrong = await invoke(
    "eval",
    "--checkpoint",
    checkpoint,
    "--spec",
    spec,
    "--evaluation",
    "left-to-rihgt",
  )
  t.equal(wrong.code, 2)
  t.match(wrong.stderr, /no evaluation is called "left-to-rihgt"; did you mean left-to-right\? The spec has/)
  await t.rejects(
    evaluateCheckpoint({ ...input, evaluation: Option.some("nosuch") }),
    /no evaluation is called "nosuch"\. The spec has any-order/,
  )
  const resumed = await invoke("run", spec, "--profile", "paper", "--runs", runs, "--resume", result.run)
  t.equal(resumed.code, 2, "scored weights are never trained on")
  t.match(resumed.stderr, /is of another experiment/)
})

/** A file of checkpoint/. */
const from = (name: string): string => join(root, "test/cli/checkpoint", name)

/** Bits per byte of `negbit.pt` on windows of validation files of checkpoint/, which `named` copies under other names. */
const scoreOn = async (
  t: Test,
  windows: number,
  validation: readonly string[],
  named: readonly string[] = validation,
): Promise<{ readonly value: number; readonly fingerprint: string }> => {
  const folder = await mkdtemp(join(tmpdir(), "repro-eval-"))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  for (const [i, name] of validation.entries()) await copyFile(from(name), join(folder, named[i]!))
  const spec = JSON.parse(await readFile(from("spec.json"), "utf8")) as Record<string, object> & {
    readonly evaluations: readonly [{ readonly windows: object }]
  }
  const [evaluation] = spec.evaluations
  const corpus = {
    kind: "files",
    train: [`file:${from("train.bin")}`],
    validation: named.map((name) => `file:${join(folder, name)}`),
  }
  const path = join(folder, "spec.json")
  await writeFile(
    path,
    JSON.stringify({
      ...spec,
      data: { ...spec["data"], corpus },
      evaluations: [{ ...evaluation, windows: { ...evaluation.windows, count: windows } }],
      execution: { engine: "onnxruntime", device: "cpu", precision: "fp32", threads: 1 },
    }),
  )
  const checkpoint = ["--checkpoint", from("negbit.pt"), "--spec", path]
  const scored = await invoke("eval", ...checkpoint, "--runs", join(folder, "runs"), "--json")
  t.equal(scored.code, 0, scored.stderr)
  const { rows, header } = JSON.parse(scored.stdout) as Result & {
    readonly header: { readonly fingerprint: string }
  }
  return {
    value: rows.find(({ id }) => id === "ar-chunked/bits-per-byte")!.value!,
    fingerprint: header.fingerprint,
  }
}

void test("a file that PyTorch wrote with a lazily negated view gives the reference's value", async (t) => {
  // checkpoint/README.md: 2.352735765888732 bits per byte by PyTorch; fp32 here.
  const { value } = await scoreOn(t, 32, ["val.bin"])
  t.ok(Math.abs(value - 2.352735765888732) < 1e-6, `${value}`)
})

void test("validation files are one text in the order of the spec, whatever they are called", async (t) => {
  // checkpoint/README.md: 2.3001681 for one file with val_2 then val_10, to its printed digits; fp32 here.
  const stated = await scoreOn(t, 46, ["val_2.bin", "val_10.bin"])
  t.ok(Math.abs(stated.value - 2.3001681) < 1e-6, `${stated.value}`)
  const renamed = await scoreOn(t, 46, ["val_2.bin", "val_10.bin"], ["z.bin", "a.bin"])
  t.same(renamed, stated)
  // The other order is other text: the windows lie across another seam.
  const reversed = await scoreOn(t, 46, ["val_10.bin", "val_2.bin"])
  t.ok(Math.abs(reversed.value - 2.3041814) < 1e-6, `${reversed.value}`)
  t.not(reversed.fingerprint, stated.fingerprint)
})
