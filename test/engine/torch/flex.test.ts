/**
 * Attention by FlexAttention: its forward pass on a CPU, where no gradient of it is to be had. 64 positions, since the
 * CPU's own kernel in PyTorch 2.13 gave NaN in a row of 40 positions of width 16.
 */
import { fileURLToPath } from "node:url"
import { execa } from "execa"
import t from "tap"
import { findPython } from "../../../src/engine/torch/find-torch.js"
import { WORKER_FOLDER } from "../../../src/engine/torch/worker.js"
import { testWithTorch } from "./available.js"

// Inductor compiles two kernels.
t.setTimeout(300_000)

testWithTorch(
  "key lengths are honoured as the plain formula has them, and a CPU is left to PyTorch's own",
  async (t) => {
    const script = fileURLToPath(new URL("check_flex.py", import.meta.url))
    const { stdout } = await execa((await findPython())!, [script], {
      env: { ...process.env, PYTHONPATH: WORKER_FOLDER },
    })
    const { apart, served } = JSON.parse(stdout) as {
      readonly apart: Readonly<Record<string, number>>
      readonly served: boolean
    }
    t.same(Object.keys(apart), ["whole", "lengths"])
    // Values of some 3 at most, held in bf16: 8 significant bits of the result, and of the probabilities.
    for (const [name, difference] of Object.entries(apart)) t.ok(difference < 0.02, `${name}: ${difference}`)
    t.equal(served, false)
  },
)
