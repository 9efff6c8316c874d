/**
 * What a person sees while a run works. One interface, three forms: a bar on a terminal, plain lines in a pipe,
 * a recorder in tests. Everything goes to stderr; stdout is for data.
 */
import { visible, visibleLine } from "../spec/visible.js"
import { bar, duration, plainLine, quantity, type ProgressState } from "./progress.js"

/** News of the current phase; fields that stay absent keep their last value. */
export interface Progress {
  /** Units done, such as steps. */
  readonly done: number
  readonly loss?: number
  /** Nats per token on the windows of the validation curve. */
  readonly validation?: number
  readonly tokensPerSecond?: number
  /** A few words more, such as the name of the shard group. */
  readonly detail?: string
}

export interface Display {
  /** Start a phase, ending the one before. `total` is undefined when it is not known. */
  readonly phase: (name: string, total?: number, options?: PhaseOptions) => void
  readonly update: (progress: Progress) => void
  /** A line that stays. */
  readonly log: (line: string) => void
  /** A line that stays and deserves attention. */
  readonly warn: (line: string) => void
  /** End the current phase: the bar goes away, a summary line stays. Safe to call twice. */
  readonly end: () => void
}

export interface PhaseOptions {
  /** Units already done when the phase starts (a resumed run); not counted into the rate. */
  readonly from?: number
  /** What is counted; "step" when absent; "byte" is shown in MB. */
  readonly unit?: string
}

/** The part of a stream that a display needs; `process.stderr` is one. */
export interface DisplayStream {
  readonly write: (text: string) => unknown
  readonly isTTY?: boolean
  readonly columns?: number
  readonly on?: (event: "resize", listener: () => void) => unknown
  readonly off?: (event: "resize", listener: () => void) => unknown
}

export interface DisplayOptions {
  readonly stream: DisplayStream
  /** Milliseconds, monotonic. */
  readonly now?: () => number
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** Least time between two drawings of the bar, in milliseconds: at most 10 a second. */
const REDRAW = 100
/** Least time between two plain progress lines, in milliseconds. */
const PLAIN_EVERY = 10_000

const monotonic = (): number => performance.now()

/** Whether colour may be used: NO_COLOR (https://no-color.org) and dumb terminals are respected. */
export const mayColour = (
  stream: Pick<DisplayStream, "isTTY">,
  env: Readonly<Record<string, string | undefined>>,
): boolean => stream.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb"

interface Tracker {
  readonly start: (name: string, total: number | undefined, options: PhaseOptions | undefined) => void
  readonly update: (progress: Progress) => void
  readonly state: () => ProgressState | undefined
  readonly stop: () => ProgressState | undefined
}

/** The state shared by both visible forms. */
const tracker = (now: () => number): Tracker => {
  let current: (Omit<ProgressState, "elapsed"> & { readonly began: number }) | undefined
  const state = (): ProgressState | undefined => {
    if (current === undefined) return undefined
    const { began, ...rest } = current
    return { ...rest, elapsed: (now() - began) / 1000 }
  }
  return {
    start: (name, total, { from = 0, unit = "step" } = {}) => {
      current = { name, total, from, unit, done: from, began: now() }
    },
    update: (progress) => {
      if (current !== undefined) current = { ...current, ...progress }
    },
    state,
    stop: () => {
      const last = state()
      current = undefined
      return last
    },
  }
}

const summary = ({ name, done, from, unit, elapsed, loss, validation }: ProgressState): string => {
  const count = done - from
  const what = count > 0 ? `: ${quantity(count, unit)}` : ""
  return `${name}${what} in ${duration(elapsed)}${loss === undefined ? "" : `, loss ${loss.toFixed(4)}`}${validation === undefined ? "" : `, validation ${validation.toFixed(4)} nats/token`}`
}

/** One line at the bottom of a terminal, redrawn at most ten times a second, gone at the end. */
export const terminalDisplay = ({ stream, now = monotonic, env = {} }: DisplayOptions): Display => {
  const colour = mayColour(stream, env)
  const track = tracker(now)
  let drawnAt = -Infinity
  let drawn = false
  let timer: NodeJS.Timeout | undefined

  const clear = (): void => {
    if (drawn) stream.write("\r\x1b[2K")
    drawn = false
  }
  const draw = (): void => {
    clearTimeout(timer)
    timer = undefined
    const state = track.state()
    if (state === undefined) return
    drawnAt = now()
    // The last column stays free: a terminal may wrap after it, and the line could not be cleared.
    stream.write(`\r\x1b[2K${bar(state, Math.max(1, (stream.columns ?? 80) - 1), colour)}`)
    drawn = true
  }
  const schedule = (): void => {
    const wait = drawnAt + REDRAW - now()
    if (wait <= 0) return draw()
    if (timer !== undefined) return
    timer = setTimeout(draw, wait)
    timer.unref()
  }
  const line = (text: string): void => {
    clear()
    stream.write(`${text}\n`)
    if (track.state() !== undefined) draw()
  }
  const resized = (): void => {
    drawnAt = -Infinity
    schedule()
  }
  const end = (): void => {
    clearTimeout(timer)
    timer = undefined
    stream.off?.("resize", resized)
    const last = track.stop()
    clear()
    if (last !== undefined) stream.write(`${summary(last)}\n`)
  }
  return {
    phase: (name, total, options) => {
      end()
      track.start(name, total, options)
      stream.on?.("resize", resized)
      drawnAt = -Infinity
      draw()
    },
    update: (progress) => {
      track.update(progress)
      schedule()
    },
    log: line,
    warn: (text) => line(colour ? `\x1b[33m${text}\x1b[39m` : text),
    end,
  }
}

/** A line every ten seconds and at the end of each phase; nothing but text. */
export const plainDisplay = ({ stream, now = monotonic }: DisplayOptions): Display => {
  const track = tracker(now)
  let written = -Infinity
  const end = (): void => {
    const last = track.stop()
    if (last !== undefined) stream.write(`${summary(last)}\n`)
  }
  return {
    phase: (name, total, options) => {
      end()
      track.start(name, total, options)
      written = now()
      const { from = 0, unit = "step" } = options ?? {}
      const count = total === undefined ? "" : `: ${quantity(total - from, unit)}`
      stream.write(`${name}${count}\n`)
    },
    update: (progress) => {
      track.update(progress)
      const state = track.state()
      if (state === undefined || now() - written < PLAIN_EVERY) return
      written = now()
      stream.write(`${plainLine(state)}\n`)
    },
    log: (text) => void stream.write(`${text}\n`),
    warn: (text) => void stream.write(`${text}\n`),
    end,
  }
}

/** What a display was told, for assertions. */
export type Recorded =
  | { readonly kind: "phase"; readonly name: string; readonly total: number | undefined }
  | { readonly kind: "update"; readonly progress: Progress }
  | { readonly kind: "log" | "warn"; readonly line: string }
  | { readonly kind: "end" }

/** Shows nothing and remembers everything. */
export const recordingDisplay = (): Display & { readonly recorded: readonly Recorded[] } => {
  const recorded: Recorded[] = []
  return {
    recorded,
    phase: (name, total) => void recorded.push({ kind: "phase", name, total }),
    update: (progress) => void recorded.push({ kind: "update", progress }),
    log: (line) => void recorded.push({ kind: "log", line }),
    warn: (line) => void recorded.push({ kind: "warn", line }),
    end: () => void recorded.push({ kind: "end" }),
  }
}

/** A display that is told names and lines of others: nothing in them steers the terminal. */
const guarded = (display: Display): Display => ({
  ...display,
  phase: (name, total, options) => display.phase(visibleLine(name), total, options),
  update: ({ detail, ...progress }) =>
    display.update(detail === undefined ? progress : { ...progress, detail: visibleLine(detail) }),
  log: (line) => display.log(visible(line)),
  warn: (line) => display.warn(visible(line)),
})

/** The form that fits where stderr goes. */
export const openDisplay = (
  options: DisplayOptions = { stream: process.stderr, env: process.env },
): Display =>
  guarded(
    options.stream.isTTY === true && options.env?.["TERM"] !== "dumb" && options.env?.["CI"] === undefined
      ? terminalDisplay(options)
      : plainDisplay(options),
  )
