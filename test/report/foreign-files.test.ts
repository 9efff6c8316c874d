/** Results files of other programs, whole: what is read, what is left out with a sentence, what a number is per. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { test } from "tap"
import { openLedger } from "../../src/app/ledger.js"
import { rescore } from "../../src/app/rescore.js"

const cases = fileURLToPath(new URL("interchange-cases/", import.meta.url))

interface Shown {
  readonly rescored: {
    readonly number?: { readonly value: number; readonly interval: { lo: number; hi: number } }
  }
}

const readText = async <A>(content: string | Uint8Array, run: (file: string) => Promise<A>): Promise<A> => {
  const folder = await mkdtemp(join(tmpdir(), "repro-foreign-"))
  try {
    await writeFile(join(folder, "results.json"), content)
    return await run(join(folder, "results.json"))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const numberOf = async (id: string, claims: string) => {
  const { number } = ((await rescore(id, { claims })).json as Shown).rescored
  return number
}

void test("a JSON number is the double it is", async (t) => {
  // By hand: 900 of 1000, Wilson 95 %: (0.9 + z^2/2000 -+ z sqrt(0.09/1000 + z^2/4e6)) / (1 + z^2/1000).
  const number = await numberOf("sciq-acc", `${cases}acc_0.9.json`)
  t.ok(Math.abs(number!.interval.lo - 0.8798) < 1e-4 && Math.abs(number!.interval.hi - 0.9171) < 1e-4)
  const { text } = await rescore("sciq-acc", { claims: `${cases}acc_0.9.json` })
  t.match(text, /exactly 900 of 1000 items/)
  t.match(text, /standard error of 0\.0095; .* which agrees/)
})

void test("both layouts of the harness, one value; a file's own standard error is used", async (t) => {
  for (const name of ["v4", "vmixed"])
    t.equal((await numberOf("sciq-acc", `${cases}${name}.json`))?.value, 0.891, name)
  // By hand: 0.891 -+ 1.959964 * 0.0098594.
  for (const [name, id] of [
    ["v3", "sciq-acc"],
    ["bare", "t-acc"],
  ] as const) {
    const number = await numberOf(id, `${cases}${name}.json`)
    t.ok(
      Math.abs(number!.interval.lo - 0.871676) < 1e-6 && Math.abs(number!.interval.hi - 0.910324) < 1e-6,
      name,
    )
  }
  t.match(
    (await rescore("sciq-acc", { claims: `${cases}limit.json` })).text,
    /0\.891 of 10 items is no whole number/,
  )
})

void test("UTF-16 and a byte order mark", async (t) => {
  const text = await readFile(`${cases}v4.json`, "utf8")
  for (const content of [
    `\ufeff${text}`,
    Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, "utf16le")]),
  ])
    t.equal(await readText(content, async (file) => (await numberOf("sciq-acc", file))?.value), 0.891)
})

void test("one bad score does not refuse a file, and is told", async (t) => {
  const ledger = await openLedger(`${cases}nan.json`)
  t.same([...ledger.claims.keys()], ["wikitext-bits_per_byte"])
  t.match(ledger.remarks, [
    /nan\.json: the score at \/results\/wikitext\/word_perplexity,none is left out: it is Infinity/,
  ])
  t.match((await rescore("wikitext-bits_per_byte", { claims: `${cases}nan.json` })).notes, [/Infinity/])
  const file = { results: { a: { "acc,none": 1.5, "acc_norm,none": 0.5, "em,none": null } }, configs: {} }
  await readText(JSON.stringify(file), async (path) => {
    const { claims, remarks } = await openLedger(path)
    t.same([...claims.keys()], ["a-acc_norm"])
    t.match(remarks, [/acc,none is left out: 1\.5 is not a proportion/, /em,none is left out: it is null/])
  })
  await t.rejects(
    readText('{"results": {"a": {"acc,none": NaN}}, "configs": {}}', (path) => openLedger(path)),
    { name: "SpecError", problems: [{ found: "a, acc,none: it is NaN" }] },
  )
  await t.rejects(
    readText('{"results":{"s":{"acc,none":0.891,"acc,none":0.123}},"configs":{"s":{}}}', (path) =>
      openLedger(path),
    ),
    { name: "SpecError", problems: [{ expected: "every key once", found: /acc,none/ }] },
  )
})

void test("what a perplexity is per comes from the task, or is not stated", async (t) => {
  const target = await rescore("lambada_openai-perplexity", { claims: `${cases}lambada.json` })
  t.equal(target.exitCode, 3)
  t.match(target.text, /per target/)
  t.match(target.json, {
    contract: { event: "task-items", denominator: { kind: "items", items: 5153 } },
    rescored: { status: "not-possible", derivation: [] },
  })
  t.match((await rescore("wikitext-word_perplexity", { claims: `${cases}wikitext.json` })).text, /per word/)
  const other = {
    results: { own: { "perplexity,none": 9 } },
    configs: { own: { output_type: "generate_until" } },
  }
  await readText(JSON.stringify(other), async (claims) => {
    const { json, text } = await rescore("own-perplexity", { claims })
    t.match(json, { contract: { event: "not stated", denominator: "not stated" } })
    t.match(text, /does not state what the perplexity is per/)
    t.notMatch(text, /nats\/token/)
  })
})

const record = (config: object, score: unknown, name = "accuracy") => ({
  schema_version: "0.2.2",
  evaluation_results: [
    {
      evaluation_name: "r",
      source_data: { dataset_name: "mmlu" },
      metric_config: { evaluation_description: name, score_type: "continuous", ...config },
      score_details: { score, uncertainty: { num_samples: 1000 } },
    },
  ],
})

void test("the scale fields of a record decide the unit", async (t) => {
  const small = await numberOf("a-percent", `${cases}eee_small_percent.json`)
  t.ok(Math.abs(small!.value - 0.008) < 1e-15, "0.8 on a scale of 0 to 100")
  for (const [config, score, value] of [
    [{ min_score: 0, max_score: 100, metric_unit: "percent" }, 65.3, 0.653],
    [{ min_score: 0, max_score: 100 }, 0.8, 0.008],
    [{ metric_unit: "%" }, 0.8, 0.008],
    [{ min_score: 0, max_score: 1 }, 0.8, 0.8],
    [{ metric_unit: "proportion" }, 0.8, 0.8],
  ] as const)
    await readText(JSON.stringify(record(config, score)), async (claims) => {
      const number = await numberOf("r", claims)
      t.ok(Math.abs(number!.value - value) < 1e-12, JSON.stringify(config))
    })
  for (const config of [
    {},
    { min_score: 0, max_score: 10 },
    { max_score: 1, metric_unit: "percent" },
    { min_score: -1, max_score: 1 },
  ])
    await readText(JSON.stringify(record(config, 0.8)), async (claims) => {
      t.equal((await rescore("r", { claims })).exitCode, 3, JSON.stringify(config))
    })
  await t.rejects(
    readText(JSON.stringify(record({ min_score: 0, max_score: 100, metric_unit: "percent" }, 101)), (path) =>
      openLedger(path),
    ),
    { name: "SpecError", problems: [{ found: /101 is not a percentage/ }] },
  )
  t.match((await rescore("lvl", { claims: `${cases}eee_levels.json` })).json, {
    unit: "not stated",
    rescored: null,
  })
  t.equal((await numberOf("b", `${cases}array.json`))?.value, 0.5, "a list of records")
})

void test("a score that is text is told; pass@k is a pass rate by whatever reader; another form is named", async (t) => {
  const [good] = record({ min_score: 0, max_score: 1 }, 0.5).evaluation_results
  const bad = record({ min_score: 0, max_score: 1 }, "0.7").evaluation_results
  const none = record({}, undefined).evaluation_results
  await readText(
    JSON.stringify({ schema_version: "0.2.2", evaluation_results: [good, ...bad, ...none] }),
    async (path) => {
      const { claims, remarks } = await openLedger(path)
      t.equal(claims.size, 1)
      t.match(remarks, [
        /evaluation_results\/1 is left out: it is the text "0\.7"/,
        /\/2 .*no score is stated/,
      ])
    },
  )
  await readText(
    JSON.stringify({ results: { a: { "acc,none": "0.7", "acc_norm,none": 0.5, alias: "a" } }, configs: {} }),
    async (path) =>
      t.match((await openLedger(path)).remarks, [
        /\/results\/a\/acc,none is left out: it is the text "0\.7"/,
      ]),
  )
  const rate = record({ min_score: 0, max_score: 100, metric_unit: "%" }, 32.9, "pass@1")
  await readText(JSON.stringify(rate), async (claims) => {
    // 0.329 of 1000 items.
    t.match(await rescore("r", { claims }), {
      text: /definition "pass-rate": .* 0\.3290 proportion/,
      exitCode: 0,
    })
  })
  await t.rejects(
    readText(JSON.stringify({ task_name: "arc", metrics: { acc_raw: 0.5 } }), (path) => openLedger(path)),
    { name: "SpecError", problems: [{ expected: /lm-evaluation-harness/, found: /task_name, metrics/ }] },
  )
})
