/**
 * The one place from which networks import TensorFlow.js: the core with the gradients and composites that the
 * networks need. Chained operations (`x.add(y)`) are not registered; use the functions.
 */
import { registerCompositeGradients } from "../engine/composites.js"
import { registerGradients } from "./gradients.js"

registerGradients()
registerCompositeGradients()

export * from "@tensorflow/tfjs-core"
export * from "../engine/composites.js"
export { useCpuBackend } from "../engine/tfjs/cpu-backend.js"
