import { spawnSync } from "node:child_process"
import { test } from "tap"
import { program } from "./small.js"

/** The program as a person starts it. */
const repro = (...args: readonly string[]) =>
  spawnSync(process.execPath, [...program, ...args], { encoding: "utf8" })

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
  t.match(repro("plan", "mdlm_eos", "--bogus"), { status: 2, stdout: "", stderr: /Usage: repro plan/ })
  // Profiles may have any name, so the spec's file decides which there are.
  t.match(repro("plan", "mdlm_eos", "--profile", "x"), {
    status: 2,
    stdout: "",
    stderr: /expected one of the profiles of this file: paper, laptop, ci/,
  })
})

test("an old Node gets a sentence, not a stack", async (t) => {
  const pretend = `data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"18.20.0"}})`
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", pretend, ...program, "list"], {
    encoding: "utf8",
  })
  t.equal(status, 1)
  t.equal(stdout, "")
  t.match(stderr, /^repro needs Node 20\.19 or newer; this is Node 18\.20\.0 .*\n$/)
})

test("help from the made-beforehand text and from the command tree are one", async (t) => {
  const quick = repro("--help")
  const full = repro("--help", "--help")
  t.equal(quick.status, 0)
  t.equal(quick.stdout, full.stdout)
})

test("a reader that closes early is no failure", async (t) => {
  const { status, stderr } = spawnSync(
    "sh",
    ["-c", `"$0" "$@" plan mdlm_eos --json | head -c 1`, process.execPath, ...program],
    { encoding: "utf8" },
  )
  t.equal(status, 0)
  t.equal(stderr, "")
})
