/** What the worker says of its bits, and what it does where an operation has no deterministic form. */
import { fileURLToPath } from "node:url"
import { execa } from "execa"
import t from "tap"
import { findPython } from "../../../src/engine/torch/find-torch.js"
import { SAME_BITS, WORKER_FOLDER } from "../../../src/engine/torch/worker.js"
import { openTorch, testWithTorch } from "./available.js"

// Each worker loads PyTorch, which takes seconds on a busy machine.
t.setTimeout(540_000)

testWithTorch("the version says when bits may differ, and only then", async (t) => {
  t.notMatch((await openTorch(t)).version, /bits/)
  const env = { ...process.env, REPRO_TORCH_DETERMINISTIC: "0" }
  t.match(
    (await openTorch(t, { env })).version,
    /\(CPU, 1 threads, eager, bits may differ: speed was asked for\)$/,
  )
})

testWithTorch("an operation that is refused is let run, once, and named", async (t) => {
  const script = fileURLToPath(new URL("check_determinism.py", import.meta.url))
  const { stdout } = await execa((await findPython())!, [script], {
    env: { ...process.env, PYTHONPATH: WORKER_FOLDER },
  })
  t.same(JSON.parse(stdout), [SAME_BITS, "bits may differ: histc_gpu has no deterministic form here"])
})
