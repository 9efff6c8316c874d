/**
 * The measurement of a network that inserts tokens: batched by width on an executor, it gives state by state what the
 * eager network's own training loss gives, with averaged targets for the code length and hidden ones for the published
 * loss.
 */
import t from "tap"
import { cleanRow, noisedRow, type InsertionState } from "../../src/diffusion/insertion/batch.js"
import { estimateCodeLength, totalCodeLength } from "../../src/diffusion/insertion/code-length.js"
import { slotCount } from "../../src/diffusion/insertion/interpolant.js"
import { hazardAt } from "../../src/diffusion/insertion/schedule.js"
import { normals, stream, uniforms } from "../../src/diffusion/philox.js"
import { makeOnnxruntimeExecutor } from "../../src/engine/onnxruntime/index.js"
import { measureInsertion, type InsertionJob } from "../../src/evaluators/insertion-nelbo/states.js"
import { insertionFeeds } from "../../src/diffusion/insertion/feeds.js"
import type { FlexmdmObjective } from "../../src/families/flexmdm/schema.js"
import { networkOf } from "../../src/families/traced.js"
import * as tf from "../../src/model/tf.js"
import { paddedRows, tinyFlexmdm, TOKENIZER, VOCABULARY } from "../families/flexmdm/tiny.js"

t.setTimeout(540_000)
const LENGTH = 24
const CORPUS = [[1, 2, 3, 4, 5, 1, 2], [], [6], Array.from({ length: 20 }, (_, i) => 1 + (i % 3))]
const SEED = 9
const [STRATA, DRAWS] = [3, 2]

/** fp32 hidden states and logits, float64 behind them: 1e-4 relative. */
const close = (ours: number, theirs: number): boolean => Math.abs(ours - theirs) < 1e-4 * (1 + theirs)

for (const endSlot of ["extra", "eos-anchor"] as const) {
  void t.test(endSlot, async (t) => {
    const fixed = endSlot === "extra" ? "none" : "boundary"
    const experiments = (["hidden", "averaged"] as const).map((targets) =>
      tinyFlexmdm({ length: LENGTH, model: { endSlot }, objective: { targets, fixed } }),
    )
    const [network, averaged] = experiments.map(networkOf) as [
      ReturnType<typeof networkOf>,
      ReturnType<typeof networkOf>,
    ]
    const { schedules } = experiments[0]!.objective as FlexmdmObjective
    const parameters = Object.fromEntries(
      network.parameters.map(({ name, shape }, i) => {
        const size = shape.reduce((a, b) => a * b, 1)
        const data = Float32Array.from(normals(stream(4, "init"), [i], size), (z) => 0.3 * z)
        return [name, { shape, data }]
      }),
    )
    const rows = CORPUS.map((_, r) =>
      cleanRow({ tokens: paddedRows(CORPUS, LENGTH), length: LENGTH }, r, TOKENIZER, fixed, endSlot),
    )
    const executor = await makeOnnxruntimeExecutor({ precision: "fp32", device: "cpu", threads: 1 })
    const job: InsertionJob = {
      network,
      parameters,
      executor,
      rows,
      ids: TOKENIZER,
      endSlot,
      schedules,
      strata: STRATA,
      draws: DRAWS,
      seed: SEED,
      batch: 4,
      merge: "slots",
    }
    const evidence = await measureInsertion(job)
    const merged = await measureInsertion({ ...job, merge: "runs", batch: 7 })
    await executor.dispose()
    await tf.useCpuBackend()
    t.same([...evidence.tokens], [7, 0, 1, 20])
    t.equal(evidence.forwards, 4 * STRATA * DRAWS)

    const lossOf = (targets: "hidden" | "averaged", row: number, draw: number): number => {
      const clean = rows[row]!
      const numbers = uniforms(stream(SEED, "eval-mask"), [row, draw], 1 + 2 * clean.tokens.length)
      const at = ((draw % STRATA) + numbers[0]!) / STRATA
      const state: InsertionState = {
        ...noisedRow(clean, at, numbers.subarray(1), { schedules, targets }, TOKENIZER, endSlot),
        row,
        t: at,
        insertionAlpha: at,
        unmaskWeight: hazardAt(schedules.unmasking, at),
        insertWeight: hazardAt(schedules.insertion, at),
      }
      const room = {
        width: slotCount(endSlot, state.tokens.length),
        capacity: Math.max(1, state.masks.length),
      }
      const feeds = insertionFeeds([state], room, {
        targets,
        endSlot,
        padId: TOKENIZER.padId,
        classes: VOCABULARY,
      })
      const tensors = Object.fromEntries(
        Object.entries(feeds).map(([name, { shape, data }]) => [
          name,
          tf.tensor(data, [...shape], data instanceof Int32Array ? "int32" : "float32"),
        ]),
      )
      const held = Object.fromEntries(
        Object.entries(parameters).map(([name, { shape, data }]) => [name, tf.tensor(data, [...shape])]),
      )
      return (targets === "hidden" ? network : averaged).loss(held, tensors).dataSync()[0]!
    }
    const each = STRATA * DRAWS
    for (let row = 0; row < rows.length; row++) {
      for (let draw = 0; draw < each; draw++) {
        const i = row * each + draw
        const [code, published] = [lossOf("averaged", row, draw), lossOf("hidden", row, draw)]
        t.ok(
          close(evidence.insert[i]! + evidence.unmask[i]!, code),
          `row ${row}, draw ${draw}: ${code} nats of code`,
        )
        t.ok(
          close(evidence.publishedInsert[i]! + evidence.publishedUnmask[i]!, published),
          `row ${row}, draw ${draw}: ${published} nats as published`,
        )
        t.ok(
          merged.insert[i]! <= evidence.insert[i]! + 1e-6,
          "rates added up around runs are a tighter bound",
        )
        t.ok(Math.abs(merged.unmask[i]! - evidence.unmask[i]!) < 1e-3, "whatever the batch")
      }
    }
    const estimates = rows.map((_, row) =>
      estimateCodeLength(
        merged.insert
          .subarray(row * each, (row + 1) * each)
          .map((x, k) => x + merged.unmask[row * each + k]!),
        STRATA,
      ),
    )
    const { nats, variance } = totalCodeLength(estimates)
    t.ok(nats > 0 && variance !== undefined && variance > 0)
  })
}
