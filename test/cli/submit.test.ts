import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import t from "tap"
import { invoke } from "./harness.js"

void t.test("submit writes the script once and leaves a changed one alone", async (t) => {
  const path = join(t.testdir(), "job.sbatch")
  const args = ["submit", "mdlm_eos", "--slurm", "--gpus", "4", "--output", path]
  const first = await invoke(...args)
  t.equal(first.code, 0, first.stderr)
  t.equal(first.stdout, `Wrote ${path}. Submit it with: sbatch ${path}`)
  t.match(await readFile(path, "utf8"), "#SBATCH --gpus-per-node=4\n")
  t.equal((await invoke(...args)).code, 0, "the same again")
  await writeFile(path, "#!/bin/bash\n# mine\n")
  const changed = await invoke(...args)
  t.equal(changed.code, 2)
  t.match(changed.stderr, "is there and differs; give another name with --output, or move it away")
  t.equal(await readFile(path, "utf8"), "#!/bin/bash\n# mine\n")
})

void t.test("submit refuses what could not run, before it writes", async (t) => {
  const path = join(t.testdir(), "job.sbatch")
  const refused = async (message: RegExp, ...args: readonly string[]): Promise<void> => {
    const { code, stderr } = await invoke("submit", "mdlm_eos", "--output", path, ...args)
    t.equal(code, 2, stderr)
    t.match(stderr, message)
  }
  await refused(/say for which queue/)
  await refused(/--time tomorrow: give hours, minutes and seconds/, "--slurm", "--time", "tomorrow")
  await refused(/--nodes 0: at least 1/, "--slurm", "--nodes", "0")
  await refused(/--partition a b: letters/, "--slurm", "--partition", "a b")
  // The spec's accumulation is 4: three GPUs cannot share it.
  await refused(/\/training\/accumulation is 4, .* 3 GPUs; .*32 rows/, "--slurm", "--gpus", "3")
  await t.rejects(readFile(path), { code: "ENOENT" })
})

void t.test("a machine without sbatch keeps the script and says what to do", async (t) => {
  const path = join(t.testdir(), "job.sbatch")
  const before = process.env["PATH"]
  process.env["PATH"] = "/nowhere"
  t.teardown(() => {
    process.env["PATH"] = before
  })
  const { code, stderr } = await invoke("submit", "mdlm_eos", "--slurm", "--send", "--output", path)
  t.equal(code, 1)
  t.match(stderr, /is written but was not submitted: this machine has no sbatch; submit it on a login node/)
  t.match(await readFile(path, "utf8"), "#!/bin/bash")
})
