/** Evaluations: the union of the registered evaluators. Each produces evidence; metrics are computed from evidence alone. */
import { evaluationUnion } from "../evaluators/index.js"
import { perRegistration } from "./registration.js"

/** The union of what is registered now. */
export const evaluationSchema = perRegistration(evaluationUnion)
export const Evaluation = evaluationSchema()
export type Evaluation = typeof Evaluation.Type
