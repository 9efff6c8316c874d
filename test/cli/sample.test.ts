/** `repro sample` on a tiny run that was really trained. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Option from "effect/Option"
import t from "tap"
import { writeShard } from "../../src/data/rows/shards.js"
import { samplingOf } from "../../src/app/sample.js"
import { printable } from "../../src/app/sample-text.js"
import { resolveSampling } from "../../src/samplers/texts.js"
import { loadSpec } from "../../src/spec/spec-file.js"
import { syntheticTokens } from "../train/tiny.js"
import { invoke } from "./harness.js"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** A published spec cut down to a network of 16 and ten steps on shards of random tokens. */
const smallSpec = async (folder: string, name: string, evaluation: object): Promise<string> => {
  const shard = async (file: string, salt: number, count: number): Promise<string> => {
    await writeShard(join(folder, file), syntheticTokens(count, salt))
    return `file:${join(folder, file)}`
  }
  const published = JSON.parse(await readFile(join(root, `specs/${name}.json`), "utf8")) as {
    readonly data: { readonly tokenizer: object; readonly batching: object }
    readonly model: object
    readonly training: { readonly schedule: object }
  }
  const { data, model, training } = published
  const spec = {
    ...published,
    id: `small_${name}`,
    claims: [],
    data: {
      ...data,
      corpus: {
        kind: "files",
        train: [await shard("train.bin", 1, 2000)],
        validation: [await shard("val.bin", 2, 600)],
      },
      tokenizer: { ...data.tokenizer, model: "embedded" },
      batching: { ...data.batching, length: 16 },
    },
    model: { ...model, layers: 1, width: 16, heads: 2 },
    training: {
      ...training,
      stepsPerGroup: 10,
      microBatch: 4,
      accumulation: 1,
      checkpointEvery: 10,
      schedule: { ...training.schedule, warmup: 2, warmdown: 4 },
    },
    evaluations: [
      { id: "only", windows: { length: 16, count: 2, alignment: "raw-stream" }, seed: 1, ...evaluation },
    ],
    execution: { engine: "onnxruntime", device: "cpu", precision: "fp32", threads: 1 },
    profiles: {},
  }
  const path = join(folder, `${name}.json`)
  await writeFile(path, JSON.stringify(spec))
  return path
}

interface Sampled {
  readonly run: string
  readonly step: number
  readonly sampler: string
  readonly forwards: number
  readonly tokens: number
  readonly seed: number
  readonly finished: boolean
  readonly unigramEntropy: { readonly natsPerToken: number; readonly bitsPerToken: number }
  readonly texts: readonly {
    readonly text: string
    readonly tokens: readonly number[]
    readonly forwards: number
  }[]
}

void t.test("texts from a masked network", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "repro-sample-"))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const runs = join(folder, "runs")
  const spec = await smallSpec(folder, "mdlm_eos", { kind: "any-order", draws: 2 })
  const trained = await invoke("run", spec, "--profile", "paper", "--runs", runs)
  t.equal(trained.code, 0, trained.stderr)
  const sample = (...args: readonly string[]) => invoke("sample", "latest", "--runs", runs, ...args)
  const parsed = async (...args: readonly string[]): Promise<Sampled> => {
    const { code, stdout, stderr } = await sample("--json", ...args)
    t.equal(code, 0, stderr)
    return JSON.parse(stdout) as Sampled
  }

  const out = join(folder, "texts.ndjson")
  const first = await parsed("--count", "3", "--seed", "5", "--out", out)
  t.equal(first.step, 10)
  t.equal(first.sampler, "ancestral")
  t.equal(first.tokens, 48)
  t.equal(
    first.forwards,
    first.texts.reduce((n, { forwards }) => n + forwards, 0),
  )
  t.ok(first.texts.every(({ tokens }) => tokens.length === 16 && tokens.every((id) => id < 1024 && id !== 1)))
  t.ok(Math.abs(first.unigramEntropy.bitsPerToken - first.unigramEntropy.natsPerToken / Math.LN2) < 1e-12)
  const lines = (await readFile(out, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as object)
  t.match(lines[0], { type: "sampling", seed: 5, step: 10, run: first.run })
  t.match(
    lines.slice(1),
    first.texts.map((text) => ({ type: "text", ...text })),
  )

  const again = await parsed("--count", "1", "--seed", "5")
  t.same(again.texts[0], first.texts[0], "the same seed, fewer texts")
  const plain = await sample("--count", "1", "--seed", "5", "--watch")
  t.ok(plain.stdout.startsWith(`── text 1 ──\n${printable(first.texts[0]!.text)}\n`), plain.stdout)
  t.match(plain.stdout, /ancestral; 16 steps; temperature 1; top-p 1; seed 5/)
  t.match(plain.stdout, /unigram entropy \d\.\d{3} nats\/token \(\d\.\d{3} bits\/token\)/)
  t.match(plain.stdout, /forward passes, .* tokens\/s$/)

  const prompted = await parsed(
    "--prompt",
    "The people",
    "--suffix",
    " of it.",
    "--sampler",
    "confidence",
    "--steps",
    "3",
  )
  for (const { text } of prompted.texts) t.ok(text.startsWith("The people") && text.endsWith(" of it."), text)
  t.equal(prompted.forwards, 12, "three steps for each of four texts")
  const long = await parsed("--length", "40", "--block", "8", "--count", "1")
  t.equal(long.texts[0]!.tokens.length, 40)

  // The same weights by their file.
  const directory = join(runs, first.run, "checkpoints")
  const file = join(directory, (await readdir(directory)).at(-1)!)
  const byFile = await invoke(
    "sample",
    "--checkpoint",
    file,
    "--spec",
    spec,
    "--count",
    "1",
    "--seed",
    "5",
    "--json",
  )
  t.equal(byFile.code, 0, byFile.stderr)
  t.same((JSON.parse(byFile.stdout) as Sampled).texts, again.texts)

  const fails = async (pattern: RegExp, code: number, ...args: readonly string[]): Promise<void> => {
    const found = await invoke("sample", ...args, "--runs", runs)
    t.equal(found.code, code, found.stderr)
    t.match(found.stderr, pattern)
    t.equal(found.stdout, "")
  }
  await fails(/no run is called "nothing"/, 2, "nothing")
  await fails(/name a run/, 2)
  await fails(/^(?!.*Engine).*a folder stands where a file is needed/s, 1, "latest", "--out", folder)
  await fails(/not both/, 2, "latest", "--checkpoint", file)
  await fails(/--checkpoint and --spec go together/, 2, "--checkpoint", file)
  await fails(/temperature: expected a number of at least 0, found -1/, 2, "latest", "--temperature", "-1")
  await fails(/top-p: expected .* found 0;/, 2, "latest", "--top-p", "0")
  await fails(/length: 17 is more than the 16 tokens .* give a block/, 2, "latest", "--length", "17")
  await fails(/the prompt takes \d+ tokens .* leaves no room/, 2, "latest", "--prompt", "people ".repeat(20))
  await fails(/--prompt: nothing is left of "  "/, 2, "latest", "--prompt", "  ")
  await rm(directory, { recursive: true })
  await fails(/the run has no checkpoint to sample from/, 1, "latest")
})

void t.test("texts from a next-token network", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "repro-sample-"))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const runs = join(folder, "runs")
  const spec = await smallSpec(folder, "ar_matched", { kind: "autoregressive", tail: "C", seed: undefined })
  const trained = await invoke("run", spec, "--profile", "paper", "--runs", runs)
  t.equal(trained.code, 0, trained.stderr)
  const { code, stdout, stderr } = await invoke("sample", "latest", "--runs", runs, "--count", "2", "--json")
  t.equal(code, 0, stderr)
  const { sampler, forwards, tokens } = JSON.parse(stdout) as Sampled
  t.equal(sampler, "left-to-right")
  t.equal(forwards, tokens, "one forward pass a token")
  const wrong = await invoke("sample", "latest", "--runs", runs, "--sampler", "confidence")
  t.equal(wrong.code, 2)
  t.match(wrong.stderr, /a next-token network samples left-to-right/)
})

void t.test("what a model writes does not steer the terminal", (t) => {
  t.equal(printable("a\x1b[2J\x07\x7f\u009b\n\tb"), "a\u241b[2J\u2407\u2421\ufffd\n\tb")
  t.end()
})

const given = (flags: Readonly<Record<string, unknown>>) =>
  samplingOf(new Proxy(flags, { get: (own, name: string) => own[name] ?? Option.none() }) as never)

t.test("an absent flag leaves what the sampler has by itself", async (test) => {
  test.same(given({}), {})
  const { experiment } = await loadSpec("specs/llada_8b.json", "ci")
  const temperatureOf = (flags: Readonly<Record<string, unknown>>) => {
    const resolved = resolveSampling({
      experiment,
      sampling: given(flags),
      seed: 0,
      texts: [{ index: 0, prefix: [], suffix: [] }],
    })
    return resolved.kind === "blocks"
      ? resolved.temperature
      : resolved.kind === "fixed"
        ? resolved.settings.temperature
        : undefined
  }
  const blocks = { sampler: Option.some("blocks") }
  test.equal(temperatureOf(blocks), 0, "blocks takes the most probable token")
  test.equal(temperatureOf({ ...blocks, temperature: Option.some(0.5) }), 0.5)
  test.equal(temperatureOf({ sampler: Option.some("ancestral") }), 1)
})
