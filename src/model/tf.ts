/**
 * The one place from which networks import TensorFlow.js: the core with the gradients and composites that the
 * networks need. Chained operations (`x.add(y)`) are not registered; use the functions.
 */
import { enableProdMode, engine, setBackend } from "@tensorflow/tfjs-core"
import { registerComposites, registerCompositeGradients } from "./composites.js"
import { registerGradients } from "./gradients.js"

registerGradients()
registerCompositeGradients()

export * from "@tensorflow/tfjs-core"
export * from "./composites.js"

/**
 * Makes the `cpu` backend current: plain JavaScript, slow, the oracle of the other executors. Kernels, gradients
 * and the engine live in one registry of the process, so the backend and this module share them.
 */
export const useCpuBackend = async (): Promise<void> => {
  // Silences the core's printed advice to install another backend; version 4.22 has no other use for it.
  enableProdMode()
  await import("@tensorflow/tfjs-backend-cpu")
  registerComposites("cpu")
  if ((engine().backendName as string | null) !== "cpu") await setBackend("cpu")
}
