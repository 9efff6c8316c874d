/** The worker answers in order while it goes on, and the loop keeps a device busy through the whole of it. */
import { fileURLToPath } from "node:url"
import { execa } from "execa"
import t from "tap"
import { deviceWaits } from "../../../bench/device-waits.js"
import { findPython } from "../../../src/engine/torch/find-torch.js"
import { WORKER_FOLDER } from "../../../src/engine/torch/worker.js"
import { tinyExperiment } from "../../train/tiny.js"
import { testWithTorch } from "./available.js"

t.setTimeout(180_000)

testWithTorch("results that come late hold nothing up, and every answer keeps its place", async (t) => {
  const script = fileURLToPath(new URL("check_answers.py", import.meta.url))
  const { stdout } = await execa((await findPython())!, [script], {
    env: { ...process.env, PYTHONPATH: WORKER_FOLDER },
  })
  t.same(JSON.parse(stdout), {
    said: ["two steps are begun, 0 bytes are written"],
    found: [
      [1, { loss: 1.5 }],
      [2, { loss: 2.5 }],
      ["the device is lost", {}],
      [4, {}],
      [5, { state: [0, 1, 2] }],
    ],
  })
})

testWithTorch("an artificial device is kept busy, and says how long it was not", async (t) => {
  // Results as late as two steps take: a loop that waited for them would leave the device idle two thirds of the time.
  const { steps, worked, waited, share, reported } = await deviceWaits(
    { step: 20, late: 39 },
    30,
    tinyExperiment(),
  )
  t.same(
    reported,
    Array.from({ length: 30 }, (_, i) => i + 1),
  )
  t.ok(worked >= 20 * steps, `${worked} ms`)
  t.ok(waited >= 0 && share >= 0 && share < 1, `waited ${waited} ms`)
})
