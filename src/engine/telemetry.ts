/**
 * Nothing leaves the machine: libraries that would report their use are told not to, before they are loaded. Each name
 * is the library's own switch; `docs/nothing-leaves-the-machine.md` says what was looked at. Processes that this one
 * starts inherit them.
 */
export const TELEMETRY_OFF = {
  /** onnxruntime-node 1.30 keeps a device id and an event database, and uploads, unless this is set. */
  ORT_DISABLE_TELEMETRY: "1",
  /** Python libraries on top of huggingface_hub, should an environment load one beside PyTorch. */
  HF_HUB_DISABLE_TELEMETRY: "1",
  /** npm asks its registry for a newer npm now and then. */
  npm_config_update_notifier: "false",
} as const

/** Sets the switches for this process and those it starts; whatever the user set is overruled. */
export const switchTelemetryOff = (env: NodeJS.ProcessEnv = process.env): void => {
  Object.assign(env, TELEMETRY_OFF)
}
