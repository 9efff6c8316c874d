/** Scales and ticks of plots. Pure, and the same on every machine. */

export interface Scale {
  /** Position in pixels. */
  readonly at: (value: number) => number
  readonly ticks: readonly { readonly value: number; readonly text: string }[]
}

/** Decimals that tell ticks `step` apart. */
const decimalsOf = (step: number): number => Math.max(0, -Math.floor(Math.log10(step) + 1e-9))

/** The step of 1, 2 or 5 times a power of ten that gives at most `most` intervals. */
const niceStep = (span: number, most: number): number => {
  const rough = span / Math.max(1, most)
  const power = 10 ** Math.floor(Math.log10(rough))
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough * (1 - 1e-9)) ?? rough
}

/** Values from `low` to `high` onto pixels `from` to `to`, with about `count` ticks; the range is widened to ticks. */
export const linearScale = (low: number, high: number, from: number, to: number, count: number): Scale => {
  const [a, b] =
    high > low
      ? [low, high]
      : [low - Math.max(0.5, Math.abs(low) / 2), low + Math.max(0.5, Math.abs(low) / 2)]
  const step = niceStep(b - a, count)
  const first = Math.floor(a / step + 1e-9)
  const last = Math.ceil(b / step - 1e-9)
  const decimals = decimalsOf(step)
  return {
    at: (value) => from + ((value / step - first) / (last - first)) * (to - from),
    ticks: Array.from({ length: last - first + 1 }, (_, index) => ({
      value: (first + index) * step,
      text: ((first + index) * step).toFixed(decimals).replace(/^-(0(\.0*)?)$/, "$1"),
    })),
  }
}

/**
 * The same from the first value to the last and no further: an axis that ends where the data end.
 *
 * @param ends whether the last value is a tick, too, where there is room
 */
export const fittedScale = (
  low: number,
  high: number,
  from: number,
  to: number,
  count: number,
  ends = false,
): Scale => {
  if (!(high > low)) return linearScale(low, high, from, to, count)
  const step = niceStep(high - low, count)
  const { ticks } = linearScale(low, high, from, to, count)
  const inside = ticks.filter(({ value }) => value >= low - step * 1e-9 && value <= high + step * 1e-9)
  const last = inside.at(-1)?.value ?? low
  return {
    at: (value) => from + ((value - low) / (high - low)) * (to - from),
    ticks:
      ends && high - last > 0.45 * step
        ? [...inside, { value: high, text: String(Number(high.toPrecision(6))) }]
        : inside,
  }
}

/** `50`, `2k`, `1M`. */
const shortText = (value: number): string => {
  const names = ["", "k", "M", "G", "T"]
  const group = Math.min(names.length - 1, Math.max(0, Math.floor(Math.log10(value) / 3 + 1e-9)))
  return `${Number((value / 1000 ** group).toPrecision(3))}${names[group]}`
}

/**
 * Positive values on a logarithmic axis with ticks at 1, 2 and 5 times powers of ten, or at the powers alone.
 *
 * @param count of ticks up to which the finer ones have room
 */
export const logScale = (low: number, high: number, from: number, to: number, count = 10): Scale => {
  const powers = Array.from({ length: 31 }, (_, index) => 10 ** (index - 15))
  const steps = powers.flatMap((power) => [power, 2 * power, 5 * power])
  const first = steps.findLast((each) => each <= low * (1 + 1e-9)) ?? low
  const wanted = high > low ? high : low * 10
  const last = steps.find((each) => each >= wanted * (1 - 1e-9)) ?? wanted
  const inside = (each: number): boolean => each >= first * (1 - 1e-9) && each <= last * (1 + 1e-9)
  const fine = steps.filter(inside)
  const width = Math.log(last / first)
  return {
    at: (value) => from + (Math.log(value / first) / width) * (to - from),
    ticks: (fine.length <= count || powers.filter(inside).length < 2 ? fine : powers.filter(inside)).map(
      (value) => ({
        value,
        text: shortText(value),
      }),
    ),
  }
}

/**
 * At most `most` points of a curve: of each bucket the lowest and the highest, so that spikes stay visible. The first
 * and the last point are kept.
 */
export const thin = <P extends { readonly y: number }>(points: readonly P[], most: number): readonly P[] => {
  if (points.length <= most) return points
  const buckets = Math.max(1, Math.floor((most - 2) / 2))
  const inner = points.slice(1, -1)
  const kept: P[] = [points[0]!]
  for (let bucket = 0; bucket < buckets; bucket++) {
    const start = Math.floor((bucket * inner.length) / buckets)
    const end = Math.floor(((bucket + 1) * inner.length) / buckets)
    let low = start
    let high = start
    for (let i = start; i < end; i++) {
      if (inner[i]!.y < inner[low]!.y) low = i
      if (inner[i]!.y > inner[high]!.y) high = i
    }
    kept.push(...[...new Set([low, high])].sort((a, b) => a - b).map((i) => inner[i]!))
  }
  return [...kept, points.at(-1)!]
}
