/**
 * A judge of generated texts: a small GPT-2 in a file with published names, against what transformers says of the same
 * texts (test/families/gpt2/make_judge.py); a run that is judged by it, and by a run of another spec.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { basename, join } from "node:path"
import t, { type Test } from "tap"
import { openJudge } from "../../src/app/judge.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import type { EvidenceHeader } from "../../src/evaluators/evidence.js"
import { judgeTexts } from "../../src/evaluators/samples/judging.js"
import { readRun } from "../../src/run/directory.js"
import { EMBEDDED_TOKENIZER_DIGEST } from "../../src/data/assets.js"
import { loadSpec } from "../../src/spec/spec-file.js"
import { invoke } from "../cli/harness.js"
import { golden, judgeSpec, sha256 } from "./judge-spec.js"
import { growingSpec } from "./samples-run.js"

t.setTimeout(540_000)

const judged = (change: object = {}) => ({
  kind: "samples",
  id: "texts",
  count: 6,
  seeds: [0],
  sampling: { sampler: "events" },
  judge: { run: "tiny_judge", ...change },
})

const closeTo = (t: Test, found: ArrayLike<number>, wanted: readonly number[], what: string): void => {
  t.equal(found.length, wanted.length, what)
  // Two implementations in float32: sums over at most 16 positions and 1024 classes.
  wanted.forEach((value, i) => t.ok(Math.abs(found[i]! - value) < 2e-5 * Math.max(1, value), `${what} ${i}`))
}

void t.test(
  "the nats of texts and chunks are those of transformers, and the digest is the file's",
  async (t) => {
    const { folder, spec } = await growingSpec("brackets", [judged()])
    t.teardown(() => rm(folder, { recursive: true, force: true }))
    await judgeSpec(folder)
    for (const begin of ["text", "boundary"] as const) {
      const { judges, experiment } = await loadSpec(spec, "paper")
      const evaluation = experiment.evaluations[0]! as unknown as { readonly judge: object }
      const executor = await makeOnnxruntimeExecutor({ device: "cpu", precision: "fp32", threads: 1 })
      const judge = await openJudge(
        { ...evaluation, judge: { ...evaluation.judge, begin } } as never,
        { executor },
        { judges, runs: join(folder, "runs") },
      )
      t.match(judge.account, { digest: sha256, window: golden.window, begin })
      t.equal(judge.account.tokenizer.digest, EMBEDDED_TOKENIZER_DIGEST)
      const { tensors } = await judgeTexts(
        golden.judged.map(({ text }) => text),
        judge,
        { id: "texts" },
      )
      const of = (name: string): readonly number[] =>
        Array.from(tensors[`judge/${name}`]!.data as Float32Array)
      t.same(
        of("text/tokens"),
        golden.judged.flatMap(({ ids }) => ids.slice(0, golden.window)),
        "spelled as sentencepiece does",
      )
      t.same(
        of("text/cut"),
        golden.judged.map(({ ids }) => Math.max(0, ids.length - golden.window)),
      )
      const wanted = golden.judged.map(({ alone, opened }) => (begin === "text" ? alone : opened))
      // A text without a token has none behind the opening either.
      const shown = wanted.map((nats, i) => (golden.judged[i]!.ids.length === 0 ? [] : nats))
      t.same(
        of("text/scored"),
        shown.map(({ length }) => length),
      )
      closeTo(t, of("text/nats"), shown.flat(), `nats, ${begin}`)
      closeTo(t, of("chunk/nats"), golden.chunks.flat(), "nats of chunks")
      await judge.dispose()
      await executor.dispose()
    }
  },
)

/** What `verify` and `table` say of the judge of a run whose files are all as written. */
const saidOfJudge = async (t: Test, run: string, runs: string): Promise<readonly string[]> => {
  const said: string[] = []
  for (const command of ["verify", "table"]) {
    const { code, stdout, stderr } = await invoke(command, run, "--runs", runs)
    t.equal(code, 0, stderr)
    said.push(`${stdout}\n${stderr}`.split("\n").find((line) => line.includes("its judge")) ?? "nothing")
  }
  return said
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

interface Row {
  readonly id: string
  readonly value: number | null
  readonly notes: readonly string[]
  readonly interval: object | null
}

void t.test(
  "a judged run: evidence names its judge, and the table has three reductions with entropy",
  async (t) => {
    const { folder, spec } = await growingSpec("brackets", [judged()])
    t.teardown(() => rm(folder, { recursive: true, force: true }))
    await judgeSpec(folder)
    const runs = join(folder, "runs")
    const ran = await invoke("run", spec, "--profile", "paper", "--runs", runs, "--json")
    t.equal(ran.code, 0, ran.stderr)
    const { run, rows } = JSON.parse(ran.stdout) as { readonly run: string; readonly rows: readonly Row[] }
    const file = await (await readRun(join(runs, run))).readEvidence("texts")
    const { judge } = JSON.parse(file.metadata["evidence"]!) as EvidenceHeader
    t.match(judge, { spec: "tiny_judge", digest: sha256, files: [{ file: "judge.safetensors", sha256 }] })
    const scored = Array.from(file.tensors.get("judge/text/scored")!.data as Int32Array)
    const nats = Array.from(file.tensors.get("judge/text/nats")!.data as Float32Array)
    let from = 0
    const texts = scored.map((count) => nats.slice(from, (from += count))).filter(({ length }) => length > 0)
    const row = (id: string): Row => rows.find((each) => each.id === `texts/${id}`)!
    const near = (id: string, wanted: number): void => {
      t.ok(Math.abs(row(id).value! / wanted - 1) < 1e-12, `${id}: ${row(id).value}, ${wanted}`)
    }
    near(
      "generative-perplexity-mean-of-perplexities",
      sum(texts.map((each) => Math.exp(sum(each) / each.length))) / texts.length,
    )
    near("generative-perplexity-corpus", Math.exp(sum(nats) / nats.length))
    t.ok(row("generative-perplexity-chunks").value! > 1)
    const [note] = row("generative-perplexity-corpus").notes
    t.match(
      note,
      /^6 texts, unfiltered: .*Entropy within a text .* nats \(.* bits\) by the generator's tokens/,
    )
    t.match(note, new RegExp(`Judge tiny_judge.*weights sha256 ${sha256.slice(0, 12)}`))
    t.ok(row("entropy-judge").value! > 0)
    t.ok(row("generative-perplexity-corpus").interval)
    t.same(await saidOfJudge(t, run, runs), ["nothing", "nothing"])
    const weights = join(folder, "judge.safetensors")
    const bytes = await readFile(weights)
    bytes[bytes.length - 1]! ^= 1
    await writeFile(weights, bytes)
    for (const said of await saidOfJudge(t, run, runs))
      t.match(
        said,
        new RegExp(`texts: its judge tiny_judge.*other weights since: sha256 ${sha256.slice(0, 12)}`),
      )
    await rm(weights)
    t.same(await saidOfJudge(t, run, runs), ["nothing", "nothing"], "a judge that is gone cannot be compared")
  },
)

void t.test(
  "a judge that trains is run first, once; and one that changed is another experiment",
  async (t) => {
    const { folder, spec } = await growingSpec("brackets", [judged({ begin: "boundary" })])
    t.teardown(() => rm(folder, { recursive: true, force: true }))
    await judgeSpec(folder)
    const path = join(folder, "tiny_judge.json")
    const { init: _init, ...judge } = JSON.parse(await readFile(path, "utf8")) as {
      readonly init: object
      readonly training: object
    }
    const training = { ...judge.training, stepsPerGroup: 3, microBatch: 2 }
    await writeFile(path, JSON.stringify({ ...judge, training }))
    const runs = join(folder, "runs")
    const args = ["run", spec, "--profile", "paper", "--runs", runs]
    const ran = await invoke(...args)
    t.equal(ran.code, 0, ran.stderr)
    const again = await invoke(...args, "--again")
    t.equal(again.code, 0, again.stderr)
    const made = (await readdir(runs, { withFileTypes: true }))
      .filter((each) => each.isDirectory() && !each.name.startsWith("."))
      .map(({ name }) => name)
    t.equal(made.filter((name) => name.includes("tiny_judge")).length, 1, "the judge's run is found again")
    t.equal(made.length, 3)
    const judgedRun = made.find((name) => !name.includes("tiny_judge"))!
    t.same(await saidOfJudge(t, judgedRun, runs), ["nothing", "nothing"])
    // The same experiment by another executor: other roundings, other weights.
    const other = await invoke(
      "run",
      path,
      "--profile",
      "paper",
      "--runs",
      runs,
      "--again",
      "--engine",
      "tfjs",
    )
    t.equal(other.code, 0, other.stderr)
    for (const said of await saidOfJudge(t, judgedRun, runs))
      t.match(
        said,
        /texts: its judge tiny_judge, profile paper, has other weights since: .* in the run .*tiny_judge/,
      )
    const before = (await loadSpec(spec, "paper")).fingerprint
    await writeFile(path, JSON.stringify({ ...judge, training: { ...training, seed: 8 } }))
    t.not((await loadSpec(spec, "paper")).fingerprint, before)
    for (const said of await saidOfJudge(t, judgedRun, runs))
      t.match(said, /texts: its judge tiny_judge, profile paper, is another experiment since/)
    // The run's spec, with its judge beside it, may lie in a folder below: the namesake above judged nothing.
    const below = join(folder, "mine")
    await mkdir(below)
    await writeFile(join(below, basename(spec)), await readFile(spec))
    await writeFile(join(below, "tiny_judge.json"), JSON.stringify({ ...judge, training }))
    for (const said of await saidOfJudge(t, judgedRun, runs)) {
      t.match(said, /has other weights since/)
      t.notMatch(said, /another experiment/)
    }
  },
)

void t.test("what no judge is, is refused where it is named", async (t) => {
  const { folder, spec } = await growingSpec("brackets", [judged()])
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const missing = await invoke("validate", spec)
  t.equal(missing.code, 2)
  t.match(missing.stdout + missing.stderr, /\/evaluations\/0\/judge\/run.*tiny_judge/s)
  await writeFile(join(folder, "tiny_judge.json"), await readFile("specs/mdlm_eos.json"))
  const masked = await invoke("validate", spec)
  t.equal(masked.code, 2)
  t.match(masked.stdout + masked.stderr, /predicts the next token/)
})
