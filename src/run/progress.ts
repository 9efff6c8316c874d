/** The text of a progress line: pure functions of what is known. */

export interface ProgressState {
  readonly name: string
  readonly unit: string
  /** Units done, of `total` when that is known. */
  readonly done: number
  readonly total: number | undefined
  /** Units done before the phase began. */
  readonly from: number
  /** Seconds since the phase began. */
  readonly elapsed: number
  readonly loss?: number
  /** Nats per token on the windows of the validation curve. */
  readonly validation?: number
  readonly tokensPerSecond?: number
  readonly detail?: string
}

const pad = (value: number): string => String(value).padStart(2, "0")

/** `7 s`, `1 min 05 s`, `2 h 03 min`. */
export const duration = (seconds: number): string => {
  if (!Number.isFinite(seconds)) return "?"
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`
}

/** Seconds left at the mean rate of this phase; undefined before there is one. */
export const remaining = ({ done, total, from, elapsed }: ProgressState): number | undefined =>
  total === undefined || done <= from || elapsed <= 0
    ? undefined
    : (Math.max(0, total - done) * elapsed) / (done - from)

/** `950`, `12.3k`, `4.56M`. */
export const rate = (value: number): string => {
  if (!Number.isFinite(value)) return "?"
  if (value < 1000) return value.toFixed(0)
  return value < 999_500 ? `${(value / 1e3).toPrecision(3)}k` : `${(value / 1e6).toPrecision(3)}M`
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)

/** `1 step`, `12 steps`; bytes as `7.2 MB`. */
export const quantity = (count: number, unit: string): string =>
  unit === "byte" ? `${megabytes(count)} MB` : `${count} ${unit}${count === 1 ? "" : "s"}`

/** `50/200`, or what is done alone; bytes as `1.3/7.2 MB`. */
const countOf = ({ done, total, unit }: ProgressState): string => {
  const [write, suffix] = unit === "byte" ? [megabytes, " MB"] : [String, ""]
  if (total === undefined) return write(done) + suffix
  const all = write(total)
  return `${write(done).padStart(all.length)}/${all}${suffix}`
}

/** At most `width` characters of a line. */
export const clip = (line: string, width: number): string =>
  line.length <= width ? line : width < 2 ? line.slice(0, width) : `${line.slice(0, width - 1)}…`

const fields = (state: ProgressState): { readonly count: string; readonly rest: readonly string[] } => {
  const { loss, validation, tokensPerSecond, detail } = state
  const left = remaining(state)
  // In order of importance: what does not fit is dropped from the end.
  const rest = [
    left === undefined ? undefined : `ETA ${duration(left)}`,
    loss === undefined ? undefined : `loss ${loss.toFixed(4)}`,
    validation === undefined ? undefined : `validation ${validation.toFixed(4)}`,
    tokensPerSecond === undefined ? undefined : `${rate(tokensPerSecond)} tokens/s`,
    detail,
  ].filter((field) => field !== undefined)
  return { count: countOf(state), rest }
}

/** One progress line in a pipe. */
export const plainLine = (state: ProgressState): string => {
  const { count, rest } = fields(state)
  return [`${state.name} ${count.trim()}`, ...rest].join(", ")
}

const BAR = 24

/** The bar, at most `width` characters: fields, then the bar itself, are dropped where it is narrow. */
export const bar = (state: ProgressState, width: number, colour: boolean): string => {
  const { count, rest } = fields(state)
  const kept = [...rest]
  const text = (): string => [`${state.name} ${count}`, ...kept].join("  ")
  while (kept.length > 0 && text().length > width) kept.pop()
  const { done, total } = state
  const room = Math.min(BAR, width - text().length - 2)
  if (total === undefined || total <= 0 || room < 8) return clip(text(), width)
  const filled = Math.round(Math.min(1, Math.max(0, done / total)) * room)
  const drawn = "█".repeat(filled) + "░".repeat(room - filled)
  const head = `${state.name} ${count}`
  return [head, colour ? `\x1b[36m${drawn}\x1b[39m` : drawn, ...kept].join("  ")
}
