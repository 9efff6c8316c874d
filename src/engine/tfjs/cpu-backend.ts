/** The `cpu` backend of TensorFlow.js. */
import { enableProdMode, engine, setBackend } from "@tensorflow/tfjs-core"
import { registerComposites } from "../composites.js"

/**
 * Makes the `cpu` backend current: plain JavaScript, slow, the oracle of the other executors. Kernels, gradients
 * and the engine live in one registry of the process, so the backend and the networks share them.
 */
export const useCpuBackend = async (): Promise<void> => {
  // Silences the core's printed advice to install another backend; version 4.22 has no other use for it.
  enableProdMode()
  await import("@tensorflow/tfjs-backend-cpu")
  registerComposites("cpu")
  if ((engine().backendName as string | null) !== "cpu") await setBackend("cpu")
}
