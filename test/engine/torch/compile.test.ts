import { execa } from "execa"
import t from "tap"
import { findPython } from "../../../src/engine/torch/find-torch.js"
import { tinyExperiment } from "../../train/tiny.js"
import { openTorch, testWithTorch } from "./available.js"
import { relative, run } from "./run-tiny.js"

// Inductor calls a C++ compiler for every program.
t.setTimeout(540_000)

// The gradient of a table adds rows of equal tokens; Inductor's own kernel does so in the order in which threads arrive.
testWithTorch(
  "compiled by Inductor, steps equal eager ones, with the same bits again on two threads",
  async (t) => {
    const compiled = await openTorch(t, { compile: true, threads: 2 })
    t.match(compiled.version, /compiled/)
    const expected = await run(await openTorch(t), tinyExperiment())
    const [once, again] = [await run(compiled, tinyExperiment()), await run(compiled, tinyExperiment())]
    t.same(again.losses, once.losses)
    for (const [name, { data }] of Object.entries(once.state)) t.same(again.state[name]!.data, data, name)
    // Inductor fuses and reorders fp32 sums; 2e-7 of a loss was seen in these steps, the later ones behind its updates.
    t.ok(expected.losses.length > 6)
    expected.losses.forEach((loss, i) =>
      t.ok(relative(once.losses[i]!, loss) < 1e-5, `loss of step ${i + 1}`),
    )
  },
)

testWithTorch("without a C++ compiler programs run uncompiled, and the version says so", async (t) => {
  const python = (await findPython())!
  const { stdout } = await execa(python, ["-c", "import sys; print(sys.executable)"])
  const env = { HOME: process.env["HOME"], PATH: "/nowhere", REPRO_PYTHON: stdout.trim() }
  const { version } = await openTorch(t, { compile: true, env })
  t.match(version, /not compiled: no C\+\+ compiler was found/)
})
