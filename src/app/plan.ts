import { availableParallelism, totalmem } from "node:os"
import { makePlan } from "../plan/plan.js"
import { renderPlan } from "../plan/render.js"
import { loadSpec, type Profile } from "../spec/spec-file.js"
import { knownClaims } from "./claims.js"
import { locateSpec } from "./locate.js"
import type { Outcome } from "./outcome.js"

export const plan = async (given: string, profile: Profile): Promise<Outcome> => {
  const spec = await loadSpec(await locateSpec(given), profile, await knownClaims())
  const made = makePlan(spec, { cores: availableParallelism(), memory: totalmem() })
  return { text: renderPlan(made), json: made }
}
