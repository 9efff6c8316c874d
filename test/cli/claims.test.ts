/** A mistyped claim is found before anything is trained, and a run that has one can be read all the same. */
import { createHash } from "node:crypto"
import { readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { test } from "tap"
import { invoke } from "./harness.js"
import { repro, runFolder, smallSpec } from "./small.js"

const PROBLEM =
  /\/claims\/0: expected the id of a claim in the ledger, found "pr1241-headlin"\. Did you mean "pr1241-headline"\?/

test("validate, plan, run and sweep refuse a claim that is not in the ledger, and leave nothing", async (t) => {
  const { folder, spec } = await smallSpec(20, { claims: ["pr1241-headlin"], model: { heads: 3 } })
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const runs = join(folder, "runs")
  const valid = await invoke("validate", spec, "--json")
  t.equal(valid.code, 2)
  t.match(JSON.parse(valid.stdout), {
    valid: false,
    specs: [
      {
        problems: [
          { pointer: "/model/heads", expected: "a divisor of the width 16", found: "3" },
          {
            pointer: "/claims/0",
            expected: "the id of a claim in the ledger",
            found: '"pr1241-headlin"',
            nearest: '"pr1241-headline"',
          },
        ],
      },
    ],
  })
  for (const args of [
    ["plan", spec],
    ["run", spec, "--profile", "paper", "--runs", runs],
    ["sweep", spec, "--profile", "paper", "--runs", runs],
  ]) {
    const { code, stdout, stderr } = await invoke(...args)
    t.equal(code, 2, args.join(" "))
    t.equal(stdout, "")
    t.match(stderr, PROBLEM)
  }
  t.notOk((await readdir(folder)).includes("runs"), "no run was made")
})

test("a run whose manifest names an unknown claim: table, diff, report and --resume warn and go on", async (t) => {
  const { folder, spec } = await smallSpec(20, { claims: ["pr1241-headline"] })
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const runs = join(folder, "runs")
  const made = await repro(["run", spec, "--profile", "paper", "--runs", runs, "--json"])
  t.equal(made.code, 0, made.stderr)
  const whole = JSON.parse(made.stdout) as { rows: { id: string; group: string }[] }
  // The published constant is read from the claim too.
  const own = whole.rows
    .filter(({ id, group }) => group !== "claim" && !id.endsWith("/as-published"))
    .map(({ id }) => id)
  t.ok(own.length < whole.rows.length, "the claim has rows of its own")

  // As a version that did not check claims left it: trained and evaluated, without results.
  const run = await runFolder(runs)
  const text = await readFile(join(run, "manifest.json"), "utf8")
  const manifest = JSON.parse(text.replaceAll("pr1241-headline", "pr1241-headlin")) as {
    source: { text: string; sha256: string }
  }
  manifest.source.sha256 = createHash("sha256").update(manifest.source.text).digest("hex")
  await writeFile(join(run, "manifest.json"), JSON.stringify(manifest))
  await rm(join(run, "results.json"))
  const warned = (text: string, what: string) =>
    t.match(text, new RegExp(`manifest\\.json /experiment${PROBLEM.source} The claim is left out\\.`), what)

  const table = await invoke("table", "latest", "--runs", runs, "--json")
  t.equal(table.code, 0, table.stderr)
  warned(table.stderr, "table")
  t.same(
    (JSON.parse(table.stdout) as typeof whole).rows.map(({ id }) => id),
    own,
    "every row that does not come from the claim",
  )
  const diff = await invoke("diff", "latest", "--runs", runs, "--json")
  t.equal(diff.code, 3, "a claim that was left out is not agreed with")
  warned(diff.stderr, "diff")
  JSON.parse(diff.stdout)
  const report = await invoke("report", "latest", "--runs", runs, "--out", join(folder, "report"))
  t.equal(report.code, 0, report.stderr)
  warned(report.stderr, "report")

  const resumed = await repro(["run", spec, "--runs", runs, "--resume", "latest", "--json"])
  t.equal(resumed.code, 0, resumed.stderr)
  warned(resumed.stderr, "run --resume")
  t.ok((await readdir(run)).includes("results.json"))
})
