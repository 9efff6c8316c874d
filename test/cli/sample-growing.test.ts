/** `repro sample` on a network whose rows grow, really trained; and what of a growing row is new. */
import { readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import t from "tap"
import { grownPlaces } from "../../src/app/growing-view.js"
import { insertMasks } from "../../src/samplers/flexmdm/insert.js"
import { mergePatch } from "../../src/spec/merge-patch.js"
import { growingSpec } from "../evaluators/samples-run.js"
import { invoke } from "./harness.js"

t.setTimeout(540_000)

interface Sampled {
  readonly run: string
  readonly sampler: string
  readonly steps: number | null
  readonly schedules: object
  readonly settings: Readonly<Record<string, unknown>>
  readonly texts: readonly {
    readonly text: string
    readonly tokens: readonly number[]
    readonly forwards: number
    readonly events?: number
  }[]
}

void t.test("texts from a network whose rows grow", async (t) => {
  const { folder, spec } = await growingSpec("star", [
    { kind: "samples", id: "texts", count: 1, seeds: [0], sampling: { sampler: "tau", steps: 2 } },
  ])
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const runs = join(folder, "runs")
  const trained = await invoke("run", spec, "--profile", "paper", "--runs", runs)
  t.equal(trained.code, 0, trained.stderr)
  const parsed = async (...args: readonly string[]): Promise<Sampled> => {
    const { code, stdout, stderr } = await invoke("sample", "latest", "--runs", runs, "--json", ...args)
    t.equal(code, 0, stderr)
    return JSON.parse(stdout) as Sampled
  }
  const first = await parsed("--count", "5", "--seed", "3")
  t.match(first, { sampler: "events", steps: null, schedules: { insertion: { kind: "linear" } } })
  for (const { tokens, events } of first.texts) {
    t.equal(tokens.at(-1), 20, "the anchor closes the text")
    t.ok(
      tokens.slice(0, -1).every((id) => id < 20),
      `no anchor, separator, MASK or PAD within ${tokens.join()}`,
    )
    t.ok(events! >= 2 * (tokens.length - 1), "an event inserts or reveals one token")
  }
  for (const sampler of [
    ["--sampler", "events"],
    ["--sampler", "tau", "--steps", "9"],
    ["--sampler", "euler", "--steps", "9"],
    ["--sampler", "confidence", "--steps", "9", "--confidence", "entropy", "--window", "3,8"],
  ]) {
    const many = await parsed("--count", "5", "--seed", "3", ...sampler)
    const few = await parsed("--count", "2", "--seed", "3", ...sampler)
    const threads = await parsed("--count", "5", "--seed", "3", "--threads", "2", ...sampler)
    t.same(few.texts, many.texts.slice(0, 2), `${sampler.join(" ")}: fewer texts`)
    t.same(threads.texts, many.texts, `${sampler.join(" ")}: more threads`)
  }
  const published = await parsed(
    "--sampler",
    "tau",
    "--steps",
    "6",
    "--rule",
    "exactly-one",
    "--overflow",
    "fill",
    "--specials",
    "as-published",
    "--grid",
    "short",
  )
  t.match(published.settings, {
    unmasking: { kind: "leap", fire: "exactly-one" },
    insertion: "poisson",
    overflow: "fill",
    last: "argmax",
    specials: "as-published",
    grid: "short",
  })
  const infilled = await parsed("--prompt", "3 4 5 6 3 6 ", "--suffix", "4 6 ", "--count", "3")
  for (const { tokens } of infilled.texts) {
    t.same(tokens.slice(0, 7), [3, 4, 5, 6, 3, 6, 21], "the prompt and what ends it, nothing within")
    t.same(tokens.slice(-3), [4, 6, 20], "the suffix and the anchor")
  }
  const shown = await invoke(
    "sample",
    "latest",
    "--runs",
    runs,
    "--count",
    "1",
    "--sampler",
    "tau",
    "--steps",
    "4",
  )
  t.match(shown.stdout, /tau, survival; 4 steps; overflow cancel; temperature 1; top-p 1; seed 0/)

  const fails = async (pattern: RegExp, ...args: readonly string[]): Promise<void> => {
    const found = await invoke("sample", ...args, "--runs", runs)
    t.equal(found.code, 2, found.stderr)
    t.match(found.stderr, pattern)
  }
  await fails(
    /sampler: expected events, tau, euler, confidence: the rows of this network grow/,
    "latest",
    "--sampler",
    "ancestral",
  )
  await fails(
    /length: expected nothing .* It belongs to networks with rows of a fixed length; leave it out/,
    "latest",
    "--length",
    "8",
  )
  await fails(/steps: expected nothing with the sampler events/, "latest", "--steps", "8")
  await fails(
    /rule: expected nothing with the sampler euler/,
    "latest",
    "--sampler",
    "euler",
    "--rule",
    "survival",
  )
  await fails(/window: expected FACTOR,MOST/, "latest", "--sampler", "confidence", "--window", "3")
  await fails(/top-p: expected a number above 0/, "latest", "--top-p", "0")
  await fails(/the given text takes 51 of the 48 tokens/, "latest", "--prompt", "7 ".repeat(49))
  await fails(/--prompt: no piece spells "x"/, "latest", "--prompt", "x")

  // The weights say which schedules they were trained with; as another experiment they are not sampled or evaluated.
  const directory = join(runs, first.run, "checkpoints")
  const file = join(directory, "step-12.safetensors")
  const other = join(folder, "other.json")
  await writeFile(
    other,
    JSON.stringify(
      mergePatch(JSON.parse(await readFile(spec, "utf8")) as never, {
        objective: { schedules: { insertion: { kind: "sine" } } },
      }),
    ),
  )
  const mismatch = /trained with other schedules .* insertion sine for linear/
  await fails(mismatch, "--checkpoint", file, "--spec", other)
  const evaluated = await invoke(
    "eval",
    "--checkpoint",
    file,
    "--spec",
    other,
    "--profile",
    "paper",
    "--runs",
    runs,
  )
  t.equal(evaluated.code, 2, evaluated.stderr)
  t.match(evaluated.stderr, mismatch)
  const own = await invoke(
    "sample",
    "--checkpoint",
    file,
    "--spec",
    spec,
    "--count",
    "5",
    "--seed",
    "3",
    "--json",
  )
  t.equal(own.code, 0, own.stderr)
  t.same((JSON.parse(own.stdout) as Sampled).texts, first.texts, "the same weights by their file")
})

void t.test("what is new in a row that grew", (t) => {
  const [mask, pad] = [1, 0]
  t.same(grownPlaces([5, mask, 7], [1], [mask, 5, 6, mask, mask, 7, mask], mask), {
    revealed: [2],
    inserted: [0, 3, 4, 6],
  })
  t.same(grownPlaces([], [], [mask, mask], mask), { revealed: [], inserted: [0, 1] })
  t.same(grownPlaces([mask, mask], [0], [9, mask], mask), { revealed: [0], inserted: [] })
  // Every small row, set of reveals and insertion: new masks are as many as inserted, and reveals stand where they went.
  const rule = { padId: pad, maskId: mask, prefix: 0, suffix: 0, anchored: false }
  for (let shape = 0; shape < 8; shape++)
    for (let opened = 0; opened < 8; opened++)
      for (let counts = 0; counts < 16; counts++) {
        const before = [0, 1, 2].map((i) => ((shape >> i) & 1 ? mask : 10 + i))
        const revealed = [0, 1, 2].filter((i) => before[i] === mask && (opened >> i) & 1)
        const row = Int32Array.from({ length: 8 }, (_, i) =>
          i > 2 ? pad : revealed.includes(i) ? 20 + i : before[i]!,
        )
        const asked = [0, 1, 2, 3].map((i) => (counts >> i) & 1)
        const grown = insertMasks(row, asked, rule, "cancel")
        const after = Array.from(grown.row).filter((token) => token !== pad)
        const found = grownPlaces(before, revealed, after, mask)
        if (found.inserted.length !== grown.inserted) t.fail(`${before.join()} ${asked.join()}`)
        const stands = found.revealed.map((i) => after[i])
        if (stands.join() !== revealed.map((i) => 20 + i).join())
          t.fail(`${before.join()} ${revealed.join()}`)
      }
  t.end()
})
