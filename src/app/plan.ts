import { availableParallelism, totalmem } from "node:os"
import { makePlan } from "../plan/plan.js"
import { renderPlan } from "../plan/render.js"
import type { Profile } from "../spec/spec-file.js"
import { openSpec } from "./open-spec.js"
import type { Outcome } from "./outcome.js"

export const plan = async (
  given: string,
  profile: Profile,
  settings: readonly string[] = [],
): Promise<Outcome> => {
  const spec = await openSpec(given, profile, settings)
  const made = makePlan(spec, { cores: availableParallelism(), memory: totalmem() })
  return { text: renderPlan(made), json: made }
}
