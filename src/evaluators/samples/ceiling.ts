/** How often a sampler with steps could be right at best, where one row is all that there is. */
import { arrivalChance, exactLengthChance } from "../../diffusion/insertion/ceiling.js"
import { stream } from "../../diffusion/philox.js"
import type { StoredTensor } from "../../files/safetensors.js"
import { knownForward } from "../../samplers/flexmdm/known.js"
import { leapTexts } from "../../samplers/flexmdm/leap.js"
import { resolveSampling } from "../../samplers/texts.js"
import type { EvaluateJob } from "../job.js"
import type { Samples } from "./schema.js"
import type { Start } from "./starts.js"

/**
 * The sampler over a network that knows the row, with the random numbers that the texts were made with; nothing where
 * there are several rows, or where the sampler has no steps and so no ceiling.
 */
export const ceilingOf = async (
  { sampling, seeds }: Samples,
  { experiment }: Pick<EvaluateJob, "experiment">,
  starts: readonly Start[],
): Promise<{ readonly ceiling?: StoredTensor }> => {
  const [only, ...others] = starts
  const { objective } = experiment
  if (only?.target === undefined || others.length > 0 || objective.kind !== "flexmdm") return {}
  const resolved = resolveSampling({ experiment, sampling, seed: seeds[0], texts: starts })
  if (resolved.kind !== "growing" || resolved.settings.kind !== "steps") return {}
  const { model, settings } = resolved
  const { grid, steps, insertion: rule } = settings.settings
  if (rule === "bernoulli") return {}
  const by = { grid, steps, rule, schedule: objective.schedules.insertion }
  const { prefix, suffix, target } = only
  const whole = [...prefix, ...target, ...suffix]
  const forward = knownForward({
    tokens: whole,
    prefix: prefix.length,
    suffix: suffix.length,
    maskId: model.maskId,
  })
  let known = 0
  for (const seed of seeds) {
    const texts = await leapTexts([only], settings.settings, {
      forward,
      model,
      source: stream(seed, "sample"),
    })
    const made = texts[0]!.row
    if (made.every((token, i) => token === (whole[i] ?? model.padId))) known++
  }
  const data = Float64Array.of(exactLengthChance(target.length, by), arrivalChance(target.length, by), known)
  return { ceiling: { dtype: "F64", shape: [data.length], data } }
}
