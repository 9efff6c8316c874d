import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "tap"
import { commands } from "../../src/cli/commands/index.js"
import { exitCodeOf } from "../../src/cli/errors.js"
import { ExitWith, UsageError } from "../../src/app/outcome.js"
import { SpecError } from "../../src/spec/spec-error.js"
import { invoke } from "./harness.js"

test("--help is data: every command with a sentence, and the exit codes", async (t) => {
  const { code, stdout, stderr } = await invoke("--help")
  t.equal(code, 0)
  t.equal(stderr, "")
  for (const { name } of commands) t.match(stdout, new RegExp(`^  ${name} +\\S`, "m"))
  t.match(stdout, /Exit codes: 0 ok, 1 failed, 2 usage or invalid spec, 3 differs or incomplete/)
})

test("every command has a help text with an example that starts with its own name", async (t) => {
  for (const { name } of commands) {
    const { code, stdout, stderr } = await invoke(name, "--help")
    t.equal(code, 0)
    t.equal(stderr, "")
    t.match(stdout, new RegExp(`^  repro ${name}`, "m"), `${name}: usage`)
    const examples = stdout.slice(stdout.indexOf("EXAMPLES"))
    t.match(examples, new RegExp(`^  repro ${name}`, "m"), `${name}: example`)
  }
})

test("--version", async (t) => {
  t.match(await invoke("--version"), { code: 0, stdout: /repro v?\d+\.\d+\.\d+/, stderr: "" })
})

test("a wrong use ends with 2, says so on standard error and prints no data", async (t) => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [["vlaidate"], /vlaidate/],
    [["plan"], /spec/],
    [["plan", "mdlm_eos", "--profile", "laptp"], /laptp/],
    [["plan", "mdlm_eos", "--jsn"], /--jsn/],
    [["list", "extra"], /extra/],
    [["plan", "mdlm_eso"], /Did you mean mdlm_eos\?/],
  ]
  for (const [args, about] of wrong) {
    const { code, stdout, stderr } = await invoke(...args)
    t.equal(code, 2, args.join(" "))
    t.equal(stdout, "", "no data")
    t.match(stderr, about)
  }
})

test("no command prints the help and ends with 0", async (t) => {
  t.match(await invoke(), { code: 0, stdout: /SUBCOMMANDS/, stderr: "" })
})

test("what is no file is said to be what it is, with the cure", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "repro-cli-"))
  t.teardown(() => rm(directory, { recursive: true }))
  const [empty, full] = [join(directory, "empty"), join(directory, "full")]
  await mkdir(empty)
  await mkdir(full)
  await writeFile(join(full, "package.json"), `{"name": "x"}`)
  await writeFile(join(full, "mine.json"), `{"extends": "mdlm_eos"}`)
  const cases: readonly (readonly [string, RegExp])[] = [
    [empty, /found a folder\. Name the file of a spec; there is none in this folder\./],
    [full, /found a folder\. Name the file in it, such as \S*mine\.json\./],
    ...(process.platform === "win32"
      ? []
      : [["/dev/null", /found a device\. Write the spec to a file/] as const]),
  ]
  for (const [path, about] of cases)
    t.match(await invoke("validate", path), { code: 2, stdout: about }, String(about))
})

test("validate: all specs, one spec, an invalid one", async (t) => {
  t.match(await invoke("validate"), { code: 0, stdout: /specs\/mdlm_eos\.json: valid \(paper, laptop, ci\)/ })
  const directory = await mkdtemp(join(tmpdir(), "repro-cli-"))
  t.teardown(() => rm(directory, { recursive: true }))
  const file = join(directory, "bad.json")
  await writeFile(file, `{"schemaVersion": 1,\n "titel": "x"}`)
  const { code, stdout, stderr } = await invoke("validate", file, "--json")
  t.equal(code, 2)
  t.equal(stderr, "")
  const report = JSON.parse(stdout) as {
    valid: boolean
    specs: { problems: { pointer: string; position: unknown }[] }[]
  }
  t.equal(report.valid, false)
  t.match(report.specs[0]?.problems[0], {
    pointer: "/titel",
    nearest: '"title"',
    position: { line: 2, column: 2 },
  })
  t.match((await invoke("plan", file)).stderr, /^repro: .*bad\.json: \d+ problems\n {2}2:2 \/titel/)
})

test("plan --json is one document with the plan", async (t) => {
  const { code, stdout } = await invoke("plan", "mdlm_eos", "--json")
  t.equal(code, 0)
  t.match(JSON.parse(stdout), {
    planVersion: 1,
    spec: { id: "mdlm_eos", profile: "paper" },
    training: { steps: 96_000 },
    parameters: { total: 32_987_776 },
  })
})

test("list and doctor have both forms", async (t) => {
  const list = await invoke("list", "--json")
  t.ok((JSON.parse(list.stdout) as { specs: unknown[] }).specs.length >= 8)
  const doctor = await invoke("doctor", "--json")
  const { ready, findings } = JSON.parse(doctor.stdout) as {
    ready: boolean
    findings: { name: string; status: string }[]
  }
  t.equal(doctor.code, ready ? 0 : 3)
  t.same(
    findings.map(({ name }) => name),
    [
      "node",
      "cores",
      "memory",
      "onnxruntime",
      "libtensorflow",
      "torch",
      "gpu",
      "xz",
      "sandbox",
      "cache",
      "telemetry",
    ],
  )
  t.equal(
    ready,
    findings.every(({ status }) => status !== "missing"),
  )
})

test("check with an empty cache: incomplete, and the command that completes it", async (t) => {
  const cache = await mkdtemp(join(tmpdir(), "repro-cache-"))
  const before = process.env["REPRO_CACHE"]
  process.env["REPRO_CACHE"] = cache
  t.teardown(async () => {
    if (before === undefined) delete process.env["REPRO_CACHE"]
    else process.env["REPRO_CACHE"] = before
    await rm(cache, { recursive: true })
  })
  const { code, stdout } = await invoke("check", "mdlm_eos", "--profile", "laptop")
  t.equal(code, 3)
  t.match(stdout, /data +missing/)
  t.match(stdout, /repro prepare mdlm_eos --profile laptop/)
  const { ready, parts } = JSON.parse((await invoke("check", "mdlm_eos", "-p", "ci", "--json")).stdout) as {
    ready: boolean
    parts: { name: string; ready: boolean }[]
  }
  t.equal(ready, false)
  t.match(parts, [
    { name: "data", ready: false },
    { name: "executor", ready: true },
    { name: "memory", ready: true },
  ])
})

test("prepare of shards that are not there fails with a sentence and leaves nothing", async (t) => {
  const directory = await mkdtemp(join(tmpdir(), "repro-cli-"))
  t.teardown(() => rm(directory, { recursive: true }))
  const document = JSON.parse(await readFile("specs/mdlm_eos.json", "utf8")) as {
    data: { corpus: unknown; tokenizer: { model: string } }
    profiles: unknown
  }
  document.data.corpus = { kind: "files", train: ["file:nowhere.bin"], validation: ["file:nowhere.bin"] }
  document.data.tokenizer.model = "embedded"
  document.profiles = {}
  const file = join(directory, "files.json")
  await writeFile(file, JSON.stringify(document))
  const { code, stdout, stderr } = await invoke("prepare", file)
  t.equal(code, 1)
  t.equal(stdout, "")
  t.match(stderr, /nowhere\.bin/)
  t.same(await readdir(directory), ["files.json"])
})

test("exit codes of errors", async (t) => {
  t.equal(exitCodeOf(new SpecError("f", [])), 2)
  t.equal(exitCodeOf(new UsageError("x")), 2)
  t.equal(exitCodeOf(new ExitWith(3)), 3)
  t.equal(exitCodeOf(new Error("x")), 1)
  t.equal(exitCodeOf(Object.assign(new Error("x"), { exitCode: 77 })), 1)
  t.equal(exitCodeOf("x"), 1)
})
