/** The bundle that measures a GPU without Node: written with its small jobs, run on the CPU as a GPU would run it. */
import { execFile } from "node:child_process"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import t from "tap"
import { MOST_BYTES, writeBundle } from "../../bench/bundle/write.js"
import { findPython } from "../../src/engine/torch/find-torch.js"
import { testWithTorch } from "../engine/torch/available.js"

// Ranks and runs load PyTorch, one after another.
t.setTimeout(900_000)

interface Row {
  readonly lossDifference: number
  readonly gradients: { readonly worst: number; readonly parameters: number }
  readonly agrees?: boolean
}
interface Report {
  readonly results: readonly {
    readonly name: string
    readonly status: string
    readonly errors?: readonly string[]
    readonly found: {
      readonly jobs?: Readonly<Record<string, Row>>
      readonly rows?: Readonly<
        Record<
          string,
          { readonly tokensPerSecond: number; readonly firstLoss?: number; readonly skipped?: string }
        >
      >
      readonly profiles?: Readonly<Record<string, object>>
      readonly digest?: string
      readonly secondsPerUnit?: number
    }
  }[]
  readonly verdicts: readonly { readonly what: string; readonly value: number | boolean }[]
  readonly notMeasured?: readonly string[]
}

const folder = await mkdtemp(join(tmpdir(), "repro-bundle-"))
const bundle = join(folder, "bundle")
t.teardown(() => rm(folder, { recursive: true, force: true }))

const python = await findPython()

const measure = (args: readonly string[]): Promise<{ readonly code: number; readonly stderr: string }> =>
  new Promise((resolve) => {
    execFile(python!, [join(bundle, "measure.py"), ...args], (error, _out, stderr) =>
      resolve({ code: error === null ? 0 : ((error.code as unknown as number | undefined) ?? -1), stderr }),
    )
  })

const report = async (path: string): Promise<Report> => JSON.parse(await readFile(path, "utf8")) as Report

testWithTorch("a bundle is small, and its scripts run where PyTorch is", async (t) => {
  const bytes = await writeBundle(bundle, { tiny: true, say: () => undefined })
  t.ok(bytes > 0 && bytes < MOST_BYTES, `${bytes} bytes`)

  const out = join(folder, "results.json")
  const only = ["parity", "MDLM", "evaluation, published", "ELBO", "OWT", "LLaDA", "determinism", "ranks"]
  const { code, stderr } = await measure(["--out", out, "--minutes", "30", "--cpu-smoke", "--only", ...only])
  t.equal(code, 0, stderr)
  const { results, verdicts } = await report(out)
  for (const { name, status, errors } of results) t.equal(status, "ok", `${name} ${(errors ?? []).join(" ")}`)
  const found = (name: string) => results.find((result) => result.name === name)!.found

  // fp32 sums in another order than the eager oracle's; the bounds of the benchmark (bench/targets.ts).
  const jobs = Object.entries(found("parity fp32").jobs!)
  t.same(
    jobs.map(([name]) => name),
    ["mdlm-tiny", "ar-tiny", "flexmdm-tiny", "tinygsm-tiny", "llada-tiny"],
  )
  for (const [name, row] of [...jobs, ...Object.entries(found("parity of the published steps").jobs!)]) {
    t.ok(row.lossDifference < 1e-4, `${name}: loss differs by ${row.lossDifference}`)
    t.ok(row.gradients.worst < 1e-3, `${name}: worst of ${row.gradients.parameters} gradients`)
    t.ok(row.gradients.parameters > 10, name)
    t.equal(row.agrees, true, name)
  }
  // bf16 operands have 8 bits: losses agree to a per cent, and it is not fp32 that was measured.
  for (const [name, row] of Object.entries(found("parity bf16").jobs!)) {
    t.ok(row.lossDifference < 1e-2, `${name}: bf16 loss`)
    t.ok(row.gradients.worst > 1e-4, `${name}: bf16 gradients are rounded`)
  }
  t.equal(verdicts.find(({ what }) => what.includes("same bits"))?.value, true)
  t.match(found("determinism, second run").digest, /^[0-9a-f]{64}$/)
  t.equal(verdicts.find(({ what }) => what.includes("as they are"))?.value, true)
  for (const [name, row] of Object.entries(found("parity of captured steps").jobs!))
    t.equal(row.agrees, true, `${name}: captured`)
  // The other side of LLaDA is measured where transformers and peft are, and says so where they are not.
  const [row] = Object.values(found("LLaDA LoRA step, transformers").rows!)
  t.ok(row!.tokensPerSecond > 0 || /is not installed here/.test(row!.skipped ?? ""), JSON.stringify(row))
  for (const name of Object.keys(found("MDLM, ours").profiles!)) t.equal(name, "mdlm-tiny")
  const { "1": one, "2": two } = found("ranks").rows!
  t.ok(Math.abs(one!.firstLoss! / two!.firstLoss! - 1) < 1e-3, "two ranks compute the loss of one, in bf16")
  t.ok(found("ELBO, ours").secondsPerUnit! > 0)
})

testWithTorch("what cannot start says why and how to go on", async (t) => {
  const out = join(folder, "other.json")
  const whole = await measure(["--out", out])
  t.equal(whole.code, 2)
  t.match(whole.stderr, /--cpu-smoke/)
  const nowhere = await measure(["--out", join(folder, "no", "where.json"), "--cpu-smoke"])
  t.equal(nowhere.code, 2)
  t.match(nowhere.stderr, /needs a folder that is there/)
  const none = await measure(["--out", out, "--cpu-smoke", "--only", "9"])
  t.equal(none.code, 2)
  t.match(none.stderr, /names no part/)
})

testWithTorch("where a forked part cannot start the GPU, it and those after it are spawned", async (t) => {
  const script = fileURLToPath(new URL("check_processes.py", import.meta.url))
  const { stdout } = await promisify(execFile)(python!, [script, bundle])
  const { none, ...found } = JSON.parse(stdout) as { readonly none: readonly unknown[] | null }
  t.same(found, {
    untouched: true,
    statuses: ["ok", "ok"],
    torch: true,
    note: "spawned: forked ones cannot start the GPU (RuntimeError: Cannot re-initialize CUDA in forked subprocess)",
  })
  if (none !== null) t.same(none, ["failed", 1], "and where no process can, its reason is kept")
})

testWithTorch("parts are in order: what each is for, then what says more of it", async (t) => {
  const code = `import json, sys; sys.path.insert(0, sys.argv[1]); import measure
manifest = json.load(open(sys.argv[1] + "/manifest.json"))
manifest = {**manifest, "batches": [8, 32, 128], "evaluations": {"mdlm-paper-8": {"elboSteps": 128, "orderTokens": 96}}}
print(json.dumps([[t["part"], t["more"], t["name"], t["limit"]] for t in measure.tasks(manifest, False)]))`
  const { stdout } = await promisify(execFile)(python!, ["-c", code, bundle])
  const tasks = JSON.parse(stdout) as readonly (readonly [number, boolean, string, number])[]
  const core = tasks.filter(([, more]) => !more)
  const more = tasks.filter(([, later]) => later)
  t.same(tasks, [...core, ...more])
  for (const part of [core, more]) {
    const order = part.map(([number]) => number)
    t.same(order, [...order].sort())
  }
  t.same([...new Set(core.map(([number]) => number))], [1, 2, 3, 4, 5, 6, 7])
  for (const [, , name, limit] of tasks) t.ok(limit > 0 && limit <= 240, `${name} has a limit of its own`)
  for (const name of ["FlexMDM OWT, published", "ranks"])
    t.ok(core.some(([, , each]) => each === name), name) // prettier-ignore
})

testWithTorch("when time runs out, what was found stays and the rest is named", async (t) => {
  const out = join(folder, "cut.json")
  const { code } = await measure(["--out", out, "--minutes", "0.01", "--cpu-smoke", "--only", "determinism"])
  t.equal(code, 3)
  t.same((await report(out)).notMeasured, ["determinism, second run"])
})

testWithTorch("a number that differs from the oracle's fails, and is named", async (t) => {
  const file = join(bundle, "expected", "flexmdm-tiny.safetensors")
  const bytes = await readFile(file)
  // Four-byte numbers up to the end of the file; the middle is a gradient.
  bytes.writeFloatLE(1e3, bytes.length - 4 * Math.floor(bytes.length / 8))
  await writeFile(file, bytes)
  const out = join(folder, "differs.json")
  const { code } = await measure(["--out", out, "--cpu-smoke", "--minutes", "30", "--only", "parity fp32"])
  t.equal(code, 1)
  const [result] = (await report(out)).results
  t.equal(result!.status, "failed")
  t.equal(result!.found.jobs!["mdlm-tiny"]!.agrees, true, "what came before is kept")
  t.equal(result!.found.jobs!["flexmdm-tiny"]!.agrees, false)
})

testWithTorch("a folder that holds something else is left alone", async (t) => {
  await writeFile(join(folder, "bundle", "notes.txt"), "mine")
  await t.rejects(
    writeBundle(bundle, { tiny: true, say: () => undefined }),
    /notes\.txt.*name an empty folder/,
  )
  t.ok((await readdir(bundle)).includes("measure.py"))
})
