import { spawnSync } from "node:child_process"
import { test } from "tap"

/** The program as a person starts it, from source. */
const repro = (...args: readonly string[]) =>
  spawnSync(process.execPath, ["--import", "tsx", "src/cli/bin.ts", ...args], { encoding: "utf8" })

test("data on standard output, everything else on standard error", async (t) => {
  const good = repro("validate", "mdlm_eos", "--json")
  t.equal(good.status, 0)
  t.match(JSON.parse(good.stdout), { valid: true })
  t.equal(good.stderr, "")
  const bad = repro("plan", "no_such_spec")
  t.equal(bad.status, 2)
  t.equal(bad.stdout, "")
  t.match(bad.stderr, /^repro: no_such_spec: 1 problem/)
})

test("usage errors of the library's own end with 2", async (t) => {
  t.match(repro("plan", "mdlm_eos", "--profile", "x"), { status: 2, stdout: "", stderr: /Usage: repro plan/ })
})
