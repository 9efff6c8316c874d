/** CUDA graphs as far as a machine without CUDA shows: what is captured when, where gradients go, and what failing does. */
import { fileURLToPath } from "node:url"
import { execa } from "execa"
import t from "tap"
import { findPython } from "../../../src/engine/torch/find-torch.js"
import { WORKER_FOLDER } from "../../../src/engine/torch/worker.js"
import { testWithTorch } from "./available.js"

t.setTimeout(180_000)

testWithTorch("captured micro-batches give the losses and gradients of plain ones, bit by bit", async (t) => {
  const script = fileURLToPath(new URL("check_graphs.py", import.meta.url))
  const { stdout } = await execa((await findPython())!, [script], {
    env: { ...process.env, PYTHONPATH: WORKER_FOLDER },
  })
  const { captured, refused, givenUp, answered, notes, log, steps } = JSON.parse(stdout) as {
    readonly captured: boolean
    readonly refused: boolean
    readonly givenUp: boolean
    readonly answered: readonly (readonly string[])[]
    readonly notes: readonly string[]
    readonly log: readonly string[]
    readonly steps: readonly number[]
  }
  t.ok(captured, "with graphs")
  t.ok(refused, "where a capture fails")
  t.ok(givenUp, "where graphs are given up between two steps")
  t.same(notes, [
    "CUDA graphs",
    "no CUDA graphs: RuntimeError: operation not permitted when stream is capturing",
    "no CUDA graphs: with them the GPU's memory did not suffice",
  ])
  // Micro-batches of programs 0 1 | 0 0 | 0 1 | 0 0 | 0 1: each program runs twice as it is, then it is recorded.
  t.same(log, ["capture", ...Array<string>(4).fill("replay"), "capture"])
  t.same(
    answered,
    [
      ["CUDA graphs", "no CUDA graphs: with them the GPU's memory did not suffice"],
      ["", "refused"],
    ],
    "any request that does not fit beside graphs is answered without them, and refused where there are none",
  )
  t.equal(new Set(steps).size, 5, "every step has another loss")
})
