/** What a number rests on: the commands refuse, name or set apart data that are not what they were said to be. */
import { copyFile, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import t, { type Test } from "tap"
import { bytesDigest } from "../../src/files/digest.js"
import { writeShard } from "../../src/data/rows/shards.js"
import { syntheticTokens } from "../train/tiny.js"
import { invoke } from "./harness.js"
import { runFolder, smallSpec } from "./small.js"

t.setTimeout(540_000)

const small = async (test: Test, steps: number, change: object = {}) => {
  const made = await smallSpec(steps, {
    training: { schedule: { warmup: 1, warmdown: 2 } },
    data: { batching: { shardsInMemory: 1, rotation: false } },
    ...change,
  })
  test.teardown(() => rm(made.folder, { recursive: true, force: true }))
  return { ...made, runs: join(made.folder, "runs") }
}
const paper = ["--profile", "paper"] as const
const digestOf = async (path: string): Promise<string> => bytesDigest(await readFile(path))

interface Shown {
  readonly run: string
  readonly fingerprint: string
  readonly data: { readonly train: readonly { readonly file: string; readonly sha256: string }[] }
  readonly header: { readonly verdict: readonly string[] }
  readonly rows: readonly { readonly id: string; readonly value: number | null }[]
}
const sources = (files: readonly string[]) => files.map((file) => `file:${file}`)
const measured = ({ rows }: Shown) => rows.map(({ id, value }) => [id, value])
const shown = (stdout: string): Shown => JSON.parse(stdout) as Shown

void t.test("a file with another digest than the spec states is refused by every command", async (test) => {
  const { folder, spec, runs } = await small(test, 5)
  const val = join(folder, "val.bin")
  const wrong = "0".repeat(64)
  const stated = JSON.parse(await readFile(spec, "utf8")) as {
    readonly data: { corpus: { sha256?: object } }
    sweep?: object
  }
  const ran = await invoke("run", spec, ...paper, "--runs", runs, "--json")
  test.equal(ran.code, 0, ran.stderr)
  const checkpoint = join(await runFolder(runs), "checkpoints/step-5.safetensors")
  stated.data.corpus.sha256 = { [`file:${val}`]: wrong }
  const bad = join(folder, "bad.json")
  await writeFile(bad, JSON.stringify(stated))
  const said = new RegExp(
    `val\\.bin: its SHA-256 is ${await digestOf(val)}, .*states ${wrong}; give the file`,
  )
  const checked = await invoke("check", bad)
  test.equal(checked.code, 3)
  test.match(checked.stdout, said)
  test.match(checked.stdout, /^data +wrong/m)
  const other = join(folder, "none")
  for (const args of [
    ["run", bad, ...paper, "--runs", other],
    ["eval", "--checkpoint", checkpoint, "--spec", bad, ...paper, "--runs", other],
    ["sample", "--checkpoint", checkpoint, "--spec", bad, ...paper, "--count", "1", "--length", "8"],
    ["run", bad, ...paper, "--runs", runs, "--resume", "latest"],
  ]) {
    const { code, stderr } = await invoke(...args)
    test.equal(code, 2, `${args[0]}: ${stderr}`)
    test.match(stderr, said, args[0]!)
  }
  const swept = join(folder, "swept.json")
  const grid = [{ name: "heads", pointer: "/model/heads", values: [1, 2] }]
  await writeFile(swept, JSON.stringify({ ...stated, sweep: { grid, seeds: [1], streams: "paired" } }))
  const sweep = await invoke("sweep", swept, ...paper, "--runs", other)
  test.equal(sweep.code, 2, sweep.stderr)
  test.match(sweep.stderr, said)
  await test.rejects(readFile(join(other, "index.ndjson")), "and no run was made")
})

void t.test("digests that are not stated are computed, kept and shown", async (test) => {
  const { folder, spec, runs } = await small(test, 5)
  const { stdout, stderr } = await invoke("run", spec, ...paper, "--runs", runs, "--json")
  const { data, fingerprint, header } = shown(stdout)
  const expected = await Promise.all(
    ["train_0.bin", "train_1.bin"].map(async (file) => ({
      file,
      sha256: await digestOf(join(folder, file)),
    })),
  )
  test.same(data.train, expected)
  test.match(header.verdict[0], /whether the data are, is not known: the spec fixes no content of .*train_0/)
  const manifest = JSON.parse(await readFile(join(await runFolder(runs), "manifest.json"), "utf8")) as Shown
  test.same(manifest.data.train, expected)
  test.equal(manifest.fingerprint, fingerprint)
  const checked = await invoke("check", spec)
  test.match(checked.stdout, new RegExp(`content +ok +train train_0.bin ${expected[0]!.sha256.slice(0, 12)}`))
  test.notMatch(stderr, /Validation text/)
})

void t.test("a run is not resumed on other data", async (test) => {
  const { folder, spec, runs } = await small(test, 5)
  const first = await invoke("run", spec, ...paper, "--runs", runs, "--json")
  test.equal(first.code, 0, first.stderr)
  const train = join(folder, "train_1.bin")
  const before = await digestOf(train)
  await copyFile(train, `${train}.kept`)
  await writeShard(train, syntheticTokens(3000, 9))
  const resumed = await invoke("run", spec, ...paper, "--runs", runs, "--resume", "latest")
  test.equal(resumed.code, 2, resumed.stderr)
  test.match(
    resumed.stderr,
    new RegExp(
      `was begun on other data: training shard train_1.bin had sha256 ${before}, has ${await digestOf(train)}. Put`,
    ),
  )
  await rename(`${train}.kept`, train)
  const again = await invoke("run", spec, ...paper, "--runs", runs, "--resume", "latest", "--json")
  test.equal(again.code, 0, again.stderr)
  test.same(shown(again.stdout).rows, shown(first.stdout).rows)
})

void t.test(
  "a sweep's cell on other data is another cell, and runs on both are no comparison",
  async (test) => {
    const grid = [{ name: "batch", pointer: "/training/microBatch", values: [2, 4] }]
    const { folder, spec, runs } = await small(test, 5, { sweep: { grid, seeds: [1, 2], streams: "paired" } })
    const args = ["sweep", spec, ...paper, "--runs", runs] as const
    interface Swept extends Shown {
      readonly sweep: { readonly cells: readonly { readonly run?: string; readonly how?: string }[] }
    }
    const first = await invoke(...args, "--json")
    test.equal(first.code, 0, first.stderr)
    const old = (JSON.parse(first.stdout) as Swept).sweep.cells.map(({ run }) => run!)
    const val = join(folder, "val.bin")
    await copyFile(val, `${val}.kept`)
    await writeShard(val, syntheticTokens(1500, 9))
    const one = await invoke(...args, "--only", "batch=2,seed=1", "--json")
    test.equal(one.code, 0, one.stderr)
    const made = (JSON.parse(one.stdout) as Swept).sweep.cells
    test.match(made, [{ how: "made" }], "the cell of the old data is not taken for this one")
    const table = await invoke(...args, "--table", "--json")
    test.equal(table.code, 3, "three cells have no run on these data")
    const { sweep, rows, header } = JSON.parse(table.stdout) as Swept
    test.same(
      sweep.cells.map(({ run }) => run),
      [made[0]!.run, undefined, undefined, undefined],
    )
    test.notOk(rows.some(({ id }) => id.startsWith("batch=4")))
    test.match(header.verdict.join(" "), /4 finished runs of these cells rest on other data and are left out/)
    const diff = await invoke("diff", old[0]!, made[0]!.run!, "--runs", runs, "--json")
    test.equal(diff.code, 3)
    test.match(JSON.parse(diff.stdout), {
      verdict: "differs",
      sameExperiment: false,
      sentence: /rest on different data: validation shard val\.bin had sha256/,
    })
    // Without the shards nothing is known of the data as they are: the newest run's decide, and no mean is over both.
    await rename(val, `${val}.gone`)
    const gone = JSON.parse((await invoke(...args, "--table", "--json")).stdout) as Swept
    test.same(
      gone.sweep.cells.map(({ run }) => run),
      [made[0]!.run, undefined, undefined, undefined],
    )
    await rename(`${val}.kept`, val)
    const back = JSON.parse((await invoke(...args, "--table", "--json")).stdout) as Swept
    test.same(
      back.sweep.cells.map(({ run }) => run),
      old,
      "with the old data back, their runs are the cells",
    )
  },
)

void t.test("shards are used in the order of the spec, whatever they are called", async (test) => {
  const { folder, spec, runs } = await small(test, 10, { data: { batching: { rotation: true } } })
  const parsed = JSON.parse(await readFile(spec, "utf8")) as { data: { corpus: object } }
  const [first, second] = [syntheticTokens(400, 3), syntheticTokens(400, 4)]
  const put = async (name: string, ...parts: readonly Uint16Array[]): Promise<string> => {
    await writeShard(join(folder, name), Uint16Array.from(parts.flatMap((part) => [...part])))
    return name
  }
  await put("val_2.bin", first)
  await put("val_10.bin", second)
  await put("val.bin", first, second)
  await put("z.bin", first)
  await put("a.bin", second)
  await copyFile(join(folder, "train_0.bin"), join(folder, "zz.bin"))
  await copyFile(join(folder, "train_1.bin"), join(folder, "aa.bin"))
  const scored = async (trained: readonly string[], validation: readonly string[]): Promise<Shown> => {
    const path = join(folder, "ordered.json")
    const inside = (files: readonly string[]) => sources(files.map((file) => join(folder, file)))
    const corpus = { kind: "files", train: inside(trained), validation: inside(validation) }
    await writeFile(path, JSON.stringify({ ...parsed, data: { ...parsed.data, corpus } }))
    const { code, stdout, stderr } = await invoke("run", path, ...paper, "--runs", runs, "--json")
    test.equal(code, 0, stderr)
    return shown(stdout)
  }
  const train = ["train_0.bin", "train_1.bin"]
  const ordered = await scored(train, ["val_2.bin", "val_10.bin"])
  // The 8 windows of 32 tokens lie in the first shard: the order decides which text is scored.
  test.same(measured(ordered), measured(await scored(train, ["val.bin"])), "as one file in this order")
  const renamed = await scored(["zz.bin", "aa.bin"], ["z.bin", "a.bin"])
  test.same(measured(renamed), measured(ordered), "equal to the last bit under names of another order")
  test.equal(renamed.fingerprint, ordered.fingerprint, "equal fingerprint, equal numbers")
  for (const swapped of [
    await scored(train, ["val_10.bin", "val_2.bin"]),
    await scored([...train].reverse(), ["val_2.bin", "val_10.bin"]),
  ]) {
    test.notSame(measured(swapped), measured(ordered), "another order, other numbers")
    test.not(swapped.fingerprint, ordered.fingerprint)
  }
})

void t.test("validation text in the training split, and a shard listed twice, are named", async (test) => {
  const { folder, spec, runs } = await small(test, 5)
  const [train, val] = [join(folder, "train_0.bin"), join(folder, "val.bin")]
  const parsed = JSON.parse(await readFile(spec, "utf8")) as { data: { corpus: object } }
  const kinds = [
    [[val], [val], /Validation text is in the training split: val\.bin is in both/],
    [[train, train], [val], /training shard train_0\.bin is listed 2 times/],
  ] as const
  const notices = async (trained: readonly string[], scored: readonly string[], said: RegExp) => {
    const path = join(folder, "variant.json")
    const corpus = { kind: "files", train: sources(trained), validation: sources(scored) }
    await writeFile(path, JSON.stringify({ ...parsed, data: { ...parsed.data, corpus } }))
    const checked = await invoke("check", path)
    test.equal(checked.code, 0)
    test.match(checked.stdout, said, "check")
    test.match((JSON.parse((await invoke("check", path, "--json")).stdout) as { notices: object }).notices, [
      said,
    ])
    const ran = await invoke("run", path, ...paper, "--runs", runs, "--json")
    test.match(shown(ran.stdout).header.verdict.join(" "), said, "JSON")
    const table = await invoke("table", shown(ran.stdout).run, "--full", "--runs", runs)
    test.match(table.stdout.replace(/\s+/g, " "), said, "table")
  }
  for (const [trained, scored, said] of kinds) await notices(trained, scored, said)
  // The validation tokens inside a longer training shard.
  const mixed = syntheticTokens(3000, 5)
  mixed.set(syntheticTokens(1500, 3), 701)
  const path = join(folder, "mixed.bin")
  await writeShard(path, mixed)
  await notices([path], [val], /23 of 23 blocks of 64 validation tokens \(100 %\) stand word for word/)
})

void t.test("special ids that the tokenizer or the shards contradict are refused", async (test) => {
  const { folder, spec, runs } = await small(test, 5)
  const parsed = JSON.parse(await readFile(spec, "utf8")) as {
    data: { tokenizer: object; corpus: object; batching: object }
    objective: object
  }
  const path = join(folder, "ids.json")
  const put = (tokenizer: object, data: object = {}) =>
    writeFile(
      path,
      JSON.stringify({
        ...parsed,
        data: { ...parsed.data, ...data, tokenizer: { ...parsed.data.tokenizer, ...tokenizer } },
      }),
    )
  for (const [boundaryId, what] of [
    [
      263,
      /boundaryId 263 is an ordinary piece, ".+", .*write the control piece .*: 1 \(<s>\), 0 \(<pad>\), 2 \(<\/s>\)/,
    ],
    [3, /boundaryId 3 is the unknown piece/],
    [4, /boundaryId 4 is a byte piece/],
  ] as const) {
    await put({ boundaryId })
    for (const args of [
      ["check", path],
      ["run", path, ...paper, "--runs", runs],
    ]) {
      const { code, stdout, stderr } = await invoke(...args)
      test.equal(code, args[0] === "check" ? 3 : 2, `${args[0]} ${boundaryId}: ${stdout}${stderr}`)
      test.match(stdout + stderr, what)
    }
  }
  // </s> is a control piece, but it stands in no shard, and the objective gives boundaries free.
  await put({ boundaryId: 2 })
  const absent = await invoke("run", path, ...paper, "--runs", runs)
  test.equal(absent.code, 2)
  test.match(
    absent.stderr,
    /no boundary token \(id 2\) in the training shards, but .*; correct data\.tokenizer/,
  )
  for (const [tokenizer, said] of [
    [{ vocabSize: 70_000, maskId: 70_000, padId: 70_001 }, /at most 65536, the ids that the shards' 16-bit/],
    [{ maskId: 1023 }, /an id of at least the vocabulary size 1024/],
    [{ boundaryId: 5000 }, /an id below the vocabulary size 1024/],
  ] as const) {
    await put(tokenizer)
    const { code, stdout } = await invoke("validate", path)
    test.equal(code, 2)
    test.match(stdout, said)
  }
})
