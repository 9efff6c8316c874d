/** The floor of the published loss on a known row. */
import t from "tap"
import { noisedRow } from "../../../src/diffusion/insertion/batch.js"
import { embeddingPosterior } from "../../../src/diffusion/insertion/embeddings.js"
import { contentFreeFloor, knownRowLoss } from "../../../src/diffusion/insertion/floor.js"
import { rowWeights } from "../../../src/diffusion/insertion/loss.js"
import { LINEAR } from "../../../src/diffusion/insertion/schedule.js"
import { stream, uniforms } from "../../../src/diffusion/philox.js"

const ids = { padId: 8, maskId: 9 }
const STATES = 6000

/** Means and standard errors over states at stratified times. */
const floorOf = (tokens: readonly number[]) => {
  const row = { tokens: Int32Array.from(tokens), fixed: () => false }
  const losses = Array.from({ length: STATES }, (_, k) => {
    const draws = uniforms(stream(5, "eval-mask"), [0, k], 1 + 2 * tokens.length)
    const at = (k + draws[0]!) / STATES
    const state = noisedRow(
      row,
      at,
      draws.subarray(1),
      { schedules: LINEAR, targets: "hidden" },
      ids,
      "extra",
    )
    const hidden = {
      hiddenGaps: state.gaps,
      hiddenTargets: state.targets.map(({ tokens }) => tokens[0]!),
    }
    return knownRowLoss(hidden, embeddingPosterior(state.tokens, row.tokens, ids), rowWeights(LINEAR, at))
  })
  const about = (of: (loss: (typeof losses)[number]) => number) => {
    const mean = losses.reduce((sum, loss) => sum + of(loss), 0) / STATES
    const squares = losses.reduce((sum, loss) => sum + (of(loss) - mean) ** 2, 0)
    return { mean, error: Math.sqrt(squares / (STATES - 1) / STATES) }
  }
  return { insert: about(({ insert }) => insert), unmask: about(({ unmask }) => unmask) }
}

void t.test("equal tokens: the closed form, which was derived apart", (t) => {
  for (const length of [2, 5, 10]) {
    const { insert, unmask } = floorOf(Array.from({ length }, () => 3))
    const wanted = contentFreeFloor(length)
    // Four standard errors; strata make the true one smaller.
    t.ok(Math.abs(insert.mean - wanted) < 4 * insert.error, `${insert.mean} and ${wanted}`)
    t.ok(unmask.mean < 1e-12, "a MASK can stand for one token alone")
  }
  t.end()
})

void t.test("different tokens: masks cost what embeddings leave open", (t) => {
  const { insert, unmask } = floorOf([1, 2, 3, 4, 5, 6, 7, 0])
  t.ok(unmask.mean > 1, `${unmask.mean}`)
  t.ok(insert.mean > 0 && insert.mean < contentFreeFloor(8), "tokens say which of them survive")
  t.end()
})
