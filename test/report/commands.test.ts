/** `repro table`, `diff` and `report` on real run directories. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { test, type Test } from "tap"
import { diffTwoRuns, diffWithClaims } from "../../src/app/diff.js"
import { report } from "../../src/app/report.js"
import { table } from "../../src/app/table.js"
import { parseTable } from "../../src/analysis/table.js"
import { createRun } from "../../src/run/directory.js"
import type { Json } from "../../src/run/events.js"
import { loadSpec } from "../../src/spec/spec-file.js"
import { input } from "../run/support.js"
import { PUBLISHED_BITS, tableOf } from "./uniform.js"

const folder = async (t: Test): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), "repro-report-"))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

const makeRun = async (
  root: string,
  bits: number | undefined,
  claims: readonly string[] = [],
  profile: "paper" | "ci" = "ci",
) => {
  // Another seed: no spec file that comes with repro is the one that it was begun with.
  const spec = (await loadSpec("specs/mdlm_eos.json", profile)).with({ claims, training: { seed: 7 } })
  const run = await createRun(root, {
    ...input,
    profile,
    specText: spec.text,
    fingerprint: spec.fingerprint,
    differences: spec.differences,
    experiment: spec.experiment as unknown as Json,
  })
  for (let step = 1; step <= 20; step++) await run.append({ type: "step", step, loss: 7 - step / 10 })
  const data = Float64Array.of(1, 2, bits ?? 0)
  await run.writeEvidence("elbo-t128", { nats: { dtype: "F64", shape: [3], data } })
  if (bits !== undefined) await run.writeResults(tableOf(bits, run.manifest.id))
  await run.close()
  return run.manifest.id
}

test("table prints every format from the run's results", async (t) => {
  const root = await folder(t)
  await makeRun(root, PUBLISHED_BITS)
  const printed = await table(root, "latest", "terminal")
  t.match(printed.text, /NELBO T=128: BPB, exact byte table\s+≤ 1\.7478/)
  t.notMatch(printed.text, /\n$/)
  t.same(JSON.parse((await table(root, "latest", "json")).text), printed.json)
  t.match((await table(root, "latest", "csv")).text, /\r$/) // the line feed is added when it is printed
  t.match((await table(root, "latest", "tex")).text, /\\toprule/)
})

test("a command that is named finds the run: in another folder of runs too", async (t) => {
  const root = "docs/results/evidence"
  const { text } = await table(root, "20261121T132035Z-ar_matched-laptop-afd0adf3", "terminal", false)
  t.match(
    text.replaceAll("\n", " "),
    /repro table 20261121T132035Z-ar_matched-laptop-afd0adf3 --full --runs docs\/results\/evidence$/,
  )
})

test("a run without results is incomplete: exit code 3 and the cure", async (t) => {
  const root = await folder(t)
  await makeRun(root, undefined)
  for (const act of [
    () => table(root, "latest", "md"),
    () => diffWithClaims(root, "latest", undefined),
    () => report(root, "latest", join(root, "out")),
  ]) {
    await t.rejects(act(), {
      exitCode: 3,
      message:
        /no results yet; finish it with "repro run SPEC --profile ci --resume \S+ --runs \S+", where SPEC is the file mdlm_eos.json that it was begun with, then/,
    })
  }
  const two = await diffTwoRuns(root, "latest", "latest")
  t.equal(two.exitCode, 3)
  t.match(two.text, /Incomplete: \S+ has no results; finish it with "repro run SPEC/)
})

test("an unknown run is a usage error that names what there is", async (t) => {
  const root = await folder(t)
  await t.rejects(table(root, "latest", "md"), { exitCode: 2, message: /there are no runs here/ })
  const id = await makeRun(root, PUBLISHED_BITS)
  await t.rejects(table(root, "nowhere", "md"), { exitCode: 2, message: new RegExp(`the latest is ${id}`) })
})

test("diff with claims: 0 when the numbers agree, 3 when not, and unknown claims are named", async (t) => {
  const root = await folder(t)
  await makeRun(root, PUBLISHED_BITS, ["pr1241-headline"], "paper")
  const good = await diffWithClaims(root, "latest", undefined)
  t.equal(good.exitCode, 0)
  t.match(good.text, /Underpowered: .* the\s+numbers\s+agree/s)
  await makeRun(root, PUBLISHED_BITS * 1.2, ["pr1241-headline"], "paper")
  t.equal((await diffWithClaims(root, "latest", undefined)).exitCode, 3)
  await makeRun(root, PUBLISHED_BITS, ["pr1241-headlin"], "paper")
  const without = await diffWithClaims(root, "latest", undefined)
  t.equal(without.exitCode, 3, "a claim that was left out is not agreed with")
  t.match(without.notes, [
    /found "pr1241-headlin"\. Did you mean "pr1241-headline"\? The claim is left out\./,
  ])
})

test("diff of two runs: identical and different", async (t) => {
  const root = await folder(t)
  const [a, b, c] = [await makeRun(root, 4e6), await makeRun(root, 4e6), await makeRun(root, 5e6)]
  const same = await diffTwoRuns(root, a, b)
  t.equal(same.exitCode, 0)
  t.match(same.text, /Identical/)
  t.equal((await diffTwoRuns(root, a, c)).exitCode, 3)
})

test("report writes the table in every format and the plots; the same run gives the same bytes", async (t) => {
  const root = await folder(t)
  await makeRun(root, PUBLISHED_BITS)
  const out = join(root, "out", "deep")
  const written = await report(root, "latest", out)
  const names = (await readdir(out, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => relative(out, join(entry.parentPath, entry.name)))
    .sort()
  const events = names.find((name) => name.startsWith("tensorboard/"))
  t.match(events, /^tensorboard\/[^/]+\/events\.out\.tfevents\.\d+\.repro$/)
  t.same(
    names.filter((name) => name !== events),
    [
      "loss.svg",
      "loss.vl.json",
      "table-all.tex",
      "table.csv",
      "table.html",
      "table.json",
      "table.md",
      "table.tex",
      "values.svg",
      "values.vl.json",
    ],
  )
  t.equal(written.text.split("\n").length, names.length)
  const contents = (): Promise<string[]> =>
    Promise.all(names.map((name) => readFile(join(out, name), "utf8")))
  const first = await contents()
  t.doesNotThrow(() => parseTable(JSON.parse(first[names.indexOf("table.json")]!), "table.json"))
  const html = first[names.indexOf("table.html")]!
  t.equal(html.split("<svg").length - 1, 4, "two plots, each wide and narrow")
  t.notMatch(html, /<script|src=|https?:\/\/(?!www\.w3\.org)/)
  await report(root, "latest", out)
  t.same(await contents(), first)
})
