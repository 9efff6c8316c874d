/** What measure.py wrote, as rows: merged, held to its goals, and with what is missing said. */
import { readdir, readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import t from "tap"
import {
  bundleVerdicts,
  mergeReports,
  readReport,
  reportFile,
  type BundleReport,
  type BundleResult,
} from "../../bench/bundle/report.js"
import { bundleSection } from "../../bench/bundle/tables.js"
import { resultsMarkdown } from "../../bench/results.js"

const FOLDER = fileURLToPath(new URL("../../bench/gpu/", import.meta.url))

const part = (name: string, over: Partial<BundleResult> = {}): BundleResult => ({
  part: 2,
  name,
  status: "ok",
  seconds: 10,
  found: {},
  ...over,
})

const report = (over: Partial<BundleReport> = {}): BundleReport => ({
  format: 1,
  date: "2026-01-02",
  commit: "abc",
  device: "cuda",
  machine: {
    torch: "2.11.0",
    cuda: "13.0",
    triton: "3.6.0",
    cards: ["NVIDIA H200"],
    memory: 150e9,
    driver: "580",
    python: "3.12.3",
    cores: 16,
  },
  minutes: 8,
  results: [],
  ...over,
})

void t.test("runs of one machine are one report; what ended well is kept", async (t) => {
  const first = report({
    results: [part("a", { found: { digest: "1" } }), part("b", { status: "stopped at its limit of 5 s" })],
    verdicts: [{ what: "x", value: 1 }],
    notMeasured: ["c", "d"],
  })
  const second = report({
    date: "2026-01-03",
    minutes: 2,
    results: [part("a", { status: "failed" }), part("b", { found: { digest: "2" } }), part("c", { part: 1 })],
    verdicts: [{ what: "x", value: 2 }],
  })
  const merged = mergeReports([first, second])
  t.same(
    merged.results.map(({ name, status }) => [name, status]),
    [
      ["c", "ok"],
      ["a", "ok"],
      ["b", "ok"],
    ],
    "in order of parts, and a failure does not replace what was found",
  )
  t.same(merged.notMeasured, ["d"])
  t.same([merged.date, merged.minutes, merged.verdicts], ["2026-01-03", 10, [{ what: "x", value: 2 }]])
  t.equal(reportFile(merged), "2026-01-03-nvidia-h200-abc.json")
  const whole = mergeReports([first, report({ results: [part("c"), part("d")] })])
  t.notOk("notMeasured" in whole, "nothing is left")
  t.throws(() => mergeReports([first, report({ commit: "def" })]), /at commit abc and of .* at commit def/)
  t.throws(() => mergeReports([]), /name the files/)
})

void t.test("files that are none are refused by name", async (t) => {
  const text = JSON.stringify(report())
  t.same(readReport("r.json", text), report())
  t.throws(() => readReport("r.json", "{"), /^r\.json is no result of a bundle's measure\.py/)
  t.throws(() => readReport("r.json", text.replace('"format":1', '"format":9')), /^r\.json is no result/)
  t.throws(
    () => readReport("r.json", text.replace('"cuda",', '"cpu",')),
    /r\.json was measured with --cpu-smoke/,
  )
})

void t.test("each goal is met, missed or not measured", async (t) => {
  const verdicts = bundleVerdicts([
    report({
      verdicts: [
        { what: "MDLM step, same batch, times the published", value: 1.556, target: 2.5, met: false },
        { what: "MDLM model FLOPs utilisation at the best batch", value: 0.4712, target: 0.47, met: true },
        { what: "two runs end with the same bits", value: false, target: true, met: false },
      ],
    }),
    report({
      commit: "older",
      verdicts: [
        { what: "two runs end with the same bits", value: true, target: true, met: true },
        { what: "ELBO, times the published", value: 31.79, target: 3, met: true },
      ],
    }),
  ])
  t.match(
    verdicts.map(({ target, result, met, remark }) => [target, result, met, remark]),
    [
      [">= 2.5x", "1.56x", false, "missed by 38 %"],
      [">= 2.5x", "not measured", undefined, "not reached in time"],
      [">= 47 %", "47.1 %", true, ""],
      [">= 3x", "31.79x", true, ""],
      [">= 3x", "not measured", undefined, "not reached in time"],
      [">= 1.5x", "not measured", undefined, "not reached in time"],
      [">= 45 %", "not measured", undefined, "not reached in time"],
      [">= 2x", "not measured", undefined, "not reached in time"],
      ["yes", "no", false, ""],
    ],
  )
  t.ok(bundleVerdicts([]).every(({ result, met }) => result === "not measured" && met === undefined))
})

void t.test("every part that found something has its row, and every other is named", async (t) => {
  const text = bundleSection(
    report({
      results: [
        part("parity", {
          found: {
            jobs: {
              tiny: {
                lossDifference: 1e-7,
                gradients: { worst: 2e-6, at: "w", parameters: 3 },
                agrees: true,
              },
            },
          },
        }),
        part("step", {
          found: {
            rows: {
              "job-8": {
                secondsPerStep: 0.05,
                tokensPerSecond: 1000.4,
                utilisation: 0.25,
                memory: { allocated: 5e9 },
              },
              "job-16": { failed: "out of memory" },
            },
          },
        }),
        part("passes", { found: { secondsPerUnit: 5e-4, unit: "token" } }),
        part("bits", { found: { digest: "0123456789abcdef0123", steps: 20, deterministic: "strict" } }),
        part("profiled", {
          found: {
            profiles: {
              "job-8": {
                waits: [],
                millisecondsPerStep: 30,
                busyMillisecondsPerStep: 20,
                kernels: [{ name: "a<b | c>", millisecondsPerStep: 5, calls: 11 }],
              },
            },
          },
        }),
        part("other side", { found: { skipped: "peft is not installed here" } }),
        part("crash", { status: "failed", errors: ["first", "RuntimeError: last"] }),
      ],
      notMeasured: ["later"],
    }),
    "It is so because.",
  )
  for (const line of [
    "| parity | tiny | 1.0e-7 | 2.0e-6 | `w` | 3 parameters | agrees |",
    "| step | job-8 | 1000 | 50.0 ms | 25.0 % | 5.0 GB |",
    "| step | job-16 | out of memory |  |  |  |",
    "| passes | 500 µs | token |  |",
    "| bits | 20 | `0123456789abcdef` | strict |",
    "### Where a step's time goes: profiled, job-8",
    "busy for 20.0 ms of a step",
    "Nothing in a step made the host wait",
    "- other side: peft is not installed here",
    "| `a<b \\| c>` | 5.00 | 25 % | 11 |",
    "- crash: failed: RuntimeError: last",
    "- later: not measured, time ran out first",
    "It is so because.",
    "| driver, CUDA | 580, 13.0 |",
    "| commit of the bundle | abc |",
  ])
    t.match(text, line)
})

void t.test("RESULTS.md holds what is stored, and nothing else of a GPU", async (t) => {
  const names = (await readdir(FOLDER)).filter((name) => name.endsWith(".json"))
  t.ok(names.length > 0)
  const page = await readFile(new URL("../../bench/RESULTS.md", import.meta.url), "utf8")
  for (const name of names) {
    const stored = readReport(name, await readFile(`${FOLDER}${name}`, "utf8"))
    t.equal(reportFile(stored), name)
    const why = await readFile(`${FOLDER}${name.replace(/json$/, "md")}`, "utf8").catch(() => undefined)
    t.ok(page.includes(bundleSection(stored, why)), "run `npm run bench -- --render`")
  }
  t.match(resultsMarkdown(undefined, undefined, undefined), "Not measured: no GPU was at hand")
})
