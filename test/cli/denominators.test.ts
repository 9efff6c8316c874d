/**
 * What a figure rests on, from a checkpoint of zeros: the network is then exactly uniform, 10 bits for each of 1024
 * tokens, so that every denominator can be worked out by hand. Files: `denominators/README.md`.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Option from "effect/Option"
import t from "tap"
import { check } from "../../src/app/check.js"
import { evaluateCheckpoint } from "../../src/app/eval.js"
import { writeSafetensors } from "../../src/files/safetensors.js"
import { networkOf } from "../../src/families/traced.js"
import { storedState } from "../../src/run/checkpoint.js"
import type { Display } from "../../src/run/display.js"
import { decodeSpec } from "../../src/spec/spec-file.js"
import { initialState } from "../../src/train/state.js"

const root = fileURLToPath(new URL("../..", import.meta.url))
const files = fileURLToPath(new URL("denominators", import.meta.url))
const folder = await mkdtemp(join(tmpdir(), "repro-denominators-"))
t.teardown(() => rm(folder, { recursive: true, force: true }))

interface Windows {
  readonly length: number
  readonly count: number
  readonly alignment: "raw-stream" | "document-chunks"
}

/** The next-token network cut down to a width of 16, on one of the shards, with evaluations of one's own. */
const specOf = async (
  model: string,
  shard: string,
  evaluations: readonly object[],
  base = "ar_baseline",
): Promise<string> => {
  const published = JSON.parse(await readFile(join(root, `specs/${base}.json`), "utf8")) as {
    readonly data: { readonly tokenizer: object; readonly batching: object }
    readonly model: object
  }
  const source = `file:${join(files, `${shard}.bin`)}`
  const small = base === "ar_baseline" ? { kvHeads: 1 } : {}
  const path = join(folder, `${base}-${model}-${shard}-${evaluations.length}.json`)
  await writeFile(
    path,
    JSON.stringify({
      ...published,
      id: "uniform",
      claims: [],
      data: {
        ...published.data,
        corpus: { kind: "files", train: [source], validation: [source] },
        tokenizer: {
          id: "t",
          model: `file:${join(files, `${model}.model`)}`,
          vocabSize: 1024,
          boundaryId: 1,
          maskId: 1024,
          padId: 1025,
        },
        batching: { kind: "sequential-windows", length: 32, shardsInMemory: 1, rotation: false },
      },
      model: { ...published.model, layers: 2, width: 16, heads: 2, ...small },
      evaluations,
      execution: { engine: "onnxruntime", device: "cpu", precision: "fp32", threads: 1 },
      profiles: {},
    }),
  )
  return path
}

interface Row {
  readonly id: string
  readonly label: string
  readonly value: number | null
  readonly tokens: number | null
  readonly bytes: number | null
  readonly contractId: string | null
  readonly mark: string | null
  readonly notes: readonly string[]
  readonly denominator: {
    readonly text?: { readonly standing: string; readonly findings: readonly object[] }
  }
}

interface Result {
  readonly text: string
  readonly said: readonly string[]
  readonly row: (id: string) => Row
  readonly rows: readonly Row[]
  readonly coverage: (id: string) => number
}

const none = (): void => undefined

/** The table of a checkpoint of zeros. */
const uniform = async (spec: string): Promise<Result> => {
  const { experiment } = decodeSpec(await readFile(spec, "utf8"), spec, "paper")
  const state = storedState(initialState(networkOf(experiment), experiment.training))
  const checkpoint = join(folder, "zeros.safetensors")
  await writeSafetensors(
    checkpoint,
    Object.fromEntries(
      Object.entries(state).map(([name, tensor]) => [
        name,
        { ...tensor, data: new Float32Array(tensor.data.length) },
      ]),
    ),
  )
  const said: string[] = []
  const say = (line: string): void => void said.push(line)
  const display: Display = { phase: none, update: none, end: none, log: say, warn: say }
  const { text, json } = await evaluateCheckpoint(
    {
      checkpoint,
      spec,
      profile: "paper",
      evaluation: Option.none(),
      names: Option.none(),
      engine: Option.none(),
      precision: Option.none(),
      device: Option.none(),
      threads: Option.none(),
      xla: Option.none(),
      runs: join(folder, "runs"),
      json: true,
    },
    display,
  )
  const { rows, contracts } = json as {
    readonly rows: readonly Row[]
    readonly contracts: Record<string, { readonly data: { readonly coverage: number } }>
  }
  const row = (id: string): Row => {
    const found = rows.find((each) => each.id === id)
    if (found === undefined) throw new Error(`no row ${id} among ${rows.map((each) => each.id).join(", ")}`)
    return found
  }
  return { text, said, rows, row, coverage: (id) => contracts[row(id).contractId!]!.data.coverage }
}

const autoregressive = (id: string, windows: Windows, more: object = {}): object => ({
  kind: "autoregressive",
  id,
  windows,
  tail: "C",
  ...more,
})

/** fp32 gives ln 1024 to seven digits; the floor is exact. */
const near = (a: number | null, b: number | null): boolean =>
  a !== null && b !== null && Math.abs(a - b) <= 1e-7 * Math.abs(b)

const raw = (count: number): Windows => ({ length: 64, count, alignment: "raw-stream" })

interface Case {
  readonly name: string
  readonly count: number
  /** Bytes of the whole split, as the tokens say them: `expected.md` of the shared case. */
  readonly bytes: number
  readonly standing: string
  readonly label: RegExp
  readonly note: RegExp
}

const CASES: readonly Case[] = [
  { name: "03", count: 83, bytes: 10988, standing: "exact", label: /exact byte table/, note: /user-defined/ },
  {
    name: "04",
    count: 68,
    bytes: 11946,
    standing: "exact",
    label: /exact byte table/,
    note: /counts \d+ bytes/,
  },
  { name: "05", count: 85, bytes: 12772, standing: "none", label: /no byte count/, note: /unknown/ },
  {
    name: "06",
    count: 96,
    bytes: 17753,
    standing: "normalised text",
    label: /bytes of the normalised text/,
    note: /nmt_nfkc/,
  },
  {
    name: "07",
    count: 387,
    bytes: 70937,
    standing: "none",
    label: /no byte count/,
    note: /U\+E001 1017 times|U\+E001 \d+ times/,
  },
]

for (const { name, count, bytes, standing, label, note } of CASES) {
  t.test(`${name}: ${standing}`, async (test) => {
    const spec = await specOf(name, name, [autoregressive("ar", raw(count))])
    const { text, said, row } = await uniform(spec)
    const perByte = row("ar/bits-per-byte")
    test.match(perByte.label, label)
    test.match(perByte.notes.join(" "), note)
    test.match(text.replaceAll(/\s+/g, " "), note, "in the table")
    test.match(said.join(" "), note, "before anything is measured")
    test.equal(perByte.denominator.text?.standing, standing)
    test.ok(near(row("ar/bits-per-token").value, 10))
    test.equal(row("floor/uniform/bits-per-token").value, 10)
    if (standing === "none") {
      test.equal(perByte.value, null)
      test.equal(perByte.bytes, null)
      test.equal(row("floor/uniform/bits-per-byte").value, null)
      test.notMatch(text, /exact byte table|conserves/)
    } else {
      test.ok(near(perByte.value, row("floor/uniform/bits-per-byte").value))
      test.ok(near(perByte.value, (10 * perByte.tokens!) / perByte.bytes!))
    }
    const checked = await check(spec, "paper")
    const part = (
      checked.json as {
        readonly parts: readonly { readonly name: string; readonly found: string; readonly text?: object }[]
      }
    ).parts.find((each) => each.name === "bytes")!
    test.match(part.found, note, "in check")
    test.match(part.text, { standing })
    // The slice of a check ends one token behind the last window; the rest is less than a window.
    const account = part.text as { readonly bytes: number }
    test.ok(account.bytes <= bytes && account.bytes > bytes - 400, `${account.bytes} of ${bytes}`)
  })
}

t.test("36: a uniform model is the uniform row, in every alignment, count and tail", async (test) => {
  const spec = await specOf("06", "36", [
    autoregressive("chunks", { length: 64, count: 30, alignment: "document-chunks" }),
    autoregressive("stream", raw(30)),
    autoregressive("fewer", raw(7)),
    autoregressive("again", raw(30), { stride: 16, tail: "A" }),
    autoregressive("once", raw(30), { stride: 16, tail: "C" }),
  ])
  const { row, rows } = await uniform(spec)
  // 10 x 450 / 1227
  test.match(row("chunks/bits-per-byte"), { tokens: 450, bytes: 1227 })
  test.equal(row("chunks/bits-per-byte").value!.toFixed(5), "3.66748")
  test.equal(row("floor/uniform/bits-per-byte").value, 4500 / 1227)
  // `once` scores what `stream` scores, each target once.
  for (const [id, floor] of [
    ["chunks", ""],
    ["stream", "/stream"],
    ["fewer", "/fewer"],
    ["again", "/again"],
    ["once", "/stream"],
  ] as const) {
    const [perByte, uniformRow] = [row(`${id}/bits-per-byte`), row(`floor/uniform/bits-per-byte${floor}`)]
    test.same([uniformRow.tokens, uniformRow.bytes], [perByte.tokens, perByte.bytes], id)
    test.ok(near(perByte.value, uniformRow.value), id)
    test.equal(perByte.mark, "untrained", id)
  }
  test.notOk(rows.some(({ id }) => id === "floor/uniform/bits-per-byte/once"))
  test.ok(row("again/bits-per-byte").tokens! > row("once/bits-per-byte").tokens!)
  test.match(row("floor/xz/bits-per-byte/stream").label, /on the 1920 targets of stream, once/)
})

t.test("37: what the rule for documents leaves out is counted, and no coverage of 1", async (test) => {
  const spec = await specOf("06", "37", [
    autoregressive("chunks", { length: 64, count: 1000, alignment: "document-chunks" }),
    autoregressive("stream", raw(1000)),
  ])
  const { row, coverage } = await uniform(spec)
  test.equal(coverage("chunks/bits-per-byte"), 201 / 402)
  test.match(row("chunks/bits-per-byte").notes.join(" "), /leaves out 1 of 2 documents and 201 tokens/)
  // floor((402 - 1) / 64) windows of 64.
  test.equal(coverage("stream/bits-per-byte"), 384 / 402)
  test.match(
    row("stream/bits-per-byte").notes.join(" "),
    /384 of the split's 402 tokens .* 18 tokens at its end/,
  )
  const { json } = await check(spec, "paper")
  test.match(JSON.stringify(json), /leaves out 1 of 2 documents and 201 of 402 tokens/)
})

t.test("a masked model with free boundaries: the label compares the tokens that it charges", async (test) => {
  const windows = { length: 32, count: 8, alignment: "raw-stream" } as const
  const spec = await specOf(
    "06",
    "36",
    [{ kind: "any-order", id: "any", windows, draws: 2, seed: 1 }],
    "mdlm_eos",
  )
  const { row } = await uniform(spec)
  test.equal(row("any/bits-per-token").mark, "untrained")
  // 10 bits for each token that is no boundary, over all tokens.
  test.match(row("floor/uniform/bits-per-token").notes.join(" "), /it takes 10\.0000 bits each/)
})
