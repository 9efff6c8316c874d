/** Ctrl-C while an experiment runs. */
import type { Display } from "../run/display.js"

export interface Stop {
  readonly requested: () => boolean
  readonly release: () => void
}

/** Ctrl-C: the first stops after the step in progress (and calls `onStop`), the second ends the process. */
export const watchInterrupts = (display: Display, onStop: () => void = () => undefined): Stop => {
  let requested = false
  const signals = ["SIGINT", "SIGTERM"] as const
  const others = signals.map((signal) => [signal, process.listeners(signal)] as const)
  const onSignal = (): void => {
    if (requested) process.exit(130)
    requested = true
    display.warn("Stopping after the step in progress; press Ctrl-C again to end at once.")
    onStop()
  }
  // Never without a listener: Node would drop a signal that has arrived and is not handled yet.
  for (const [signal, listeners] of others) {
    process.on(signal, onSignal)
    for (const listener of listeners) process.removeListener(signal, listener)
  }
  return {
    requested: () => requested,
    release: () => {
      for (const [signal, listeners] of others) {
        for (const listener of listeners) process.on(signal, listener)
        process.removeListener(signal, onSignal)
      }
    },
  }
}
