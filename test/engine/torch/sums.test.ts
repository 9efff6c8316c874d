/** The sums that the worker takes on a GPU, on a CPU: against float64, and as part of every operation. */
import { fileURLToPath } from "node:url"
import { execa } from "execa"
import t from "tap"
import { findPython } from "../../../src/engine/torch/find-torch.js"
import { WORKER_FOLDER } from "../../../src/engine/torch/worker.js"
import { checkOperations } from "../parity.js"
import { tinyExperiment } from "../../train/tiny.js"
import { openTorch, testWithTorch } from "./available.js"
import { adamw, relative, run } from "./run-tiny.js"

// Each worker loads PyTorch, which takes seconds on a busy machine; one check calls a C++ compiler.
t.setTimeout(540_000)

const env = { ...process.env, REPRO_TORCH_SUMS: "tree" }

testWithTorch("rows and running sums equal float64, entry by entry, compiled and not", async (t) => {
  const script = fileURLToPath(new URL("check_sums.py", import.meta.url))
  const { stdout } = await execa((await findPython())!, [script], {
    env: { ...process.env, PYTHONPATH: WORKER_FOLDER },
  })
  const worst = JSON.parse(stdout) as Record<string, number>
  t.equal(Object.keys(worst).length, 10, "every case was compared")
  t.ok(worst["compiled"]! > 0, "numbers that fp32 rounds")
})

testWithTorch("with them every operation equals the eager oracle", async (t) => {
  await checkOperations(t, await openTorch(t, { env, threads: 1 }))
})

testWithTorch("with them a run has the losses of PyTorch's own sums", async (t) => {
  const experiment = tinyExperiment({ training: { stepsPerGroup: 1, optimizer: adamw, accumulation: 1 } })
  const [own, tree] = [
    await run(await openTorch(t), experiment),
    await run(await openTorch(t, { env }), experiment),
  ]
  // fp32 sums in another order: 1e-5 of the loss.
  own.losses.forEach((loss, i) => t.ok(relative(tree.losses[i]!, loss) < 1e-5, `loss of step ${i + 1}`))
})
