/** What training minimises: the union of the families' objectives. */
import { objectiveUnion } from "../families/index.js"
import { perRegistration } from "./registration.js"

/** The union of what is registered now. */
export const objectiveSchema = perRegistration(objectiveUnion)
export const Objective = objectiveSchema()
export type Objective = typeof Objective.Type
export type { MaskedDiffusionObjective, NoiseSchedule } from "../families/mdlm/schema.js"
