/** The one place that loads onnxruntime-node. */
import { switchTelemetryOff } from "../telemetry.js"

export type Onnxruntime = typeof import("onnxruntime-node")

/** Loads the library with its telemetry off: it reads the switch while it is loaded. */
export const loadOnnxruntime = async (): Promise<Onnxruntime> => {
  switchTelemetryOff()
  return (await import("onnxruntime-node")) as unknown as Onnxruntime
}
