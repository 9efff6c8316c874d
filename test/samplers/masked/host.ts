/** Tokens drawn on the host in float64 from the distributions themselves: what programs are held to, and the law of toys. */
import { drawDistribution, invertDistribution, type TokenRule } from "../../../src/diffusion/categorical.js"
import type { Predictor } from "../../../src/inference/predictor.js"
import type { Chooser } from "../../../src/samplers/masked/chooser.js"
import { bannedIds, type SampledModel, type SamplingSettings } from "../../../src/samplers/masked/settings.js"

export const ruleOf = (
  { temperature, topP }: Pick<SamplingSettings, "temperature" | "topP">,
  model: SampledModel,
): TokenRule => ({ temperature, topP, banned: bannedIds(model) })

export const hostChooser = (predictor: Predictor, rule: TokenRule): Chooser => ({
  batch: predictor.batch,
  choose: async (rows) => {
    const { vocabSize } = predictor
    const predicted = await predictor.predict(rows)
    return rows.map(({ columns, uniforms }, r) => {
      const at = columns.map((_, i) => predicted[r]!.subarray(i * vocabSize, (i + 1) * vocabSize))
      const tokens = Int32Array.from(at, (logProbs, i) =>
        invertDistribution(drawDistribution(logProbs, rule), rule.temperature === 0 ? 0 : uniforms[i]!),
      )
      return { tokens, logProbs: Float32Array.from(at, (logProbs, i) => logProbs[tokens[i]!]!) }
    })
  },
  forwards: predictor.forwards,
  dispose: predictor.dispose,
})
