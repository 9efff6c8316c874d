/** A run whose executor has no more memory says what to change, and can go on. */
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { test } from "tap"
import { loadCorpus } from "../../src/data/corpora/corpus.js"
import { WHOLE, type Executor } from "../../src/engine/executor.js"
import { createRun } from "../../src/run/directory.js"
import { recordingDisplay } from "../../src/run/display.js"
import { trainRun } from "../../src/app/train-run.js"
import { loadSpec } from "../../src/spec/spec-file.js"
import { smallSpec } from "../cli/small.js"
import { input } from "./support.js"

const exhausted: Executor = {
  name: "onnxruntime",
  version: "1",
  layout: WHOLE,
  trainer: () => Promise.reject(new Error("std::bad_alloc")),
  weights: () => Promise.reject(new Error("none are loaded")),
  evaluator: () => Promise.reject(new Error("std::bad_alloc")),
  dispose: () => Promise.resolve(),
}

void test("out of memory while training: the estimate and the batch that fits", async (t) => {
  const { folder, spec } = await smallSpec(20)
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const { experiment } = await loadSpec(spec, "paper")
  const run = await createRun(join(folder, "runs"), input)
  t.teardown(() => run.close())
  const options = { precision: "fp32", device: "cpu", threads: 1 } as const
  await t.rejects(
    trainRun({
      run,
      experiment,
      corpus: await loadCorpus(experiment.data, { cacheDir: folder }),
      executor: exhausted,
      choice: { engine: "onnxruntime", reason: "", options },
      display: recordingDisplay(),
      stopping: () => false,
    }),
    {
      name: "ExecutorError",
      // The small spec has micro-batches of 4 and no accumulation.
      message:
        /^onnxruntime: out of memory; the plan estimates 0\.\d GiB for micro-batches of 4 and this machine has .* GiB; set \/training\/microBatch to 2 and \/training\/accumulation to 2 \(about .*\), which keeps the batch of 4 sequences$/,
    },
  )
})
