/** Ctrl-C, a batch system's notice or a closed terminal while an experiment runs. */
import type { Display } from "../run/display.js"

export interface Stop {
  readonly requested: () => boolean
  /** Aborted by the first signal: ends what waits for a server. */
  readonly signal: AbortSignal
  readonly release: () => void
}

/**
 * SIGINT, SIGTERM or SIGHUP: the first stops after the step in progress (and calls `onStop`), the second ends the process.
 * A terminal that closes may say so several times: SIGHUP is never the second.
 */
export const watchInterrupts = (
  display: Display,
  onStop: () => void = () => undefined,
  sentence = "Stopping after the step in progress; press Ctrl-C again to end at once.",
): Stop => {
  let requested = false
  const abort = new AbortController()
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const
  const others = signals.map((signal) => [signal, process.listeners(signal)] as const)
  const onSignal = (signal: NodeJS.Signals): void => {
    if (requested && signal === "SIGHUP") return
    if (requested) process.exit(130)
    requested = true
    display.warn(sentence)
    abort.abort()
    onStop()
  }
  // Never without a listener: Node would drop a signal that has arrived and is not handled yet.
  for (const [signal, listeners] of others) {
    process.on(signal, onSignal)
    for (const listener of listeners) process.removeListener(signal, listener)
  }
  return {
    requested: () => requested,
    signal: abort.signal,
    release: () => {
      for (const [signal, listeners] of others) {
        for (const listener of listeners) process.on(signal, listener)
        process.removeListener(signal, onSignal)
      }
    },
  }
}

/** Whether an error is that of something which a first signal ended. */
export const isAbort = (error: unknown): boolean => error instanceof Error && error.name === "AbortError"
