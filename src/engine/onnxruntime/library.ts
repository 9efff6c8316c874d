/** The one place that loads onnxruntime-node. */
import { switchTelemetryOff } from "../telemetry.js"
import { fetchedBefore, fetchOnnxruntime, requireFetched } from "./fetched.js"

export type Onnxruntime = typeof import("onnxruntime-common")

/** Resolved when it is asked for: the package may be missing where repro is built. */
const NAME: string = "onnxruntime-node"

/** By the message: where a loader's hooks stand between, Node's error arrives without its code. */
const isMissing = (cause: unknown): boolean =>
  (cause as Error).message.startsWith(`Cannot find package '${NAME}'`)

/** The library where it is installed or was fetched before; its telemetry is off, which it reads while it is loaded. */
export const findOnnxruntime = async (): Promise<Onnxruntime | undefined> => {
  switchTelemetryOff()
  try {
    return (await import(NAME)) as Onnxruntime
  } catch (cause) {
    if (!isMissing(cause)) throw cause
  }
  const folder = await fetchedBefore()
  return folder === undefined ? undefined : (requireFetched(folder) as Onnxruntime)
}

/** The library; where it is missing npm fetches it, and `say` is told. */
export const loadOnnxruntime = async (
  say: (line: string) => void = (line) => void process.stderr.write(`${line}\n`),
): Promise<Onnxruntime> =>
  (await findOnnxruntime()) ?? (requireFetched(await fetchOnnxruntime(say)) as Onnxruntime)
