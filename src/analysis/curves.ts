/** The curves of a training, from the events of its run. */
import { effectiveEvents, type StoredEvent } from "../run/events.js"

export interface StepPoint {
  readonly step: number
  /** Seconds since 1970. */
  readonly time: number
  readonly loss: number
  readonly gradNorm?: number
  readonly learningRate?: number
  readonly tokensPerSecond?: number
}

export interface ValidationPoint {
  readonly step: number
  /** Seconds since 1970. */
  readonly time: number
  readonly natsPerToken: number
}

export interface TrainingCurves {
  /** Id of the run. */
  readonly run: string
  /** What it is called in a plot of several. */
  readonly name: string
  /** Recorded steps: all of the first ones, then some. */
  readonly steps: readonly StepPoint[]
  readonly validation: readonly ValidationPoint[]
  /** Windows behind each point of the validation curve, and the id of the evaluation that took it. */
  readonly taken?: { readonly windows: number; readonly evaluation: string }
}

const finite = (value: number | null | undefined): value is number =>
  typeof value === "number" && Number.isFinite(value)

export const trainingCurves = (run: string, name: string, stored: readonly StoredEvent[]): TrainingCurves => {
  const steps: StepPoint[] = []
  const validation: ValidationPoint[] = []
  let taken: TrainingCurves["taken"]
  for (const event of effectiveEvents(stored)) {
    const time = Date.parse(event.time) / 1000
    if (event.type === "step" && finite(event.loss)) {
      const { step, loss, gradNorm, learningRate, tokensPerSecond } = event
      steps.push({
        step,
        time,
        loss,
        ...(finite(gradNorm) ? { gradNorm } : {}),
        ...(finite(learningRate) ? { learningRate } : {}),
        ...(finite(tokensPerSecond) ? { tokensPerSecond } : {}),
      })
    }
    if (event.type === "validation" && event.tokens > 0) {
      validation.push({ step: event.step, time, natsPerToken: event.nats / event.tokens })
      taken = { windows: event.windows, evaluation: String(event.evaluation["id"]) }
    }
  }
  return { run, name, steps, validation, ...(taken === undefined ? {} : { taken }) }
}

/** Part of the curve's length over which a point's weight falls to 1/e. */
const MEMORY = 1 / 30

/**
 * Mean of each value with those before it, weights falling as exp(-distance / memory): what is recorded at uneven steps
 * is weighed by the steps between, and the start is not drawn towards any value that was not measured.
 *
 * @param x in ascending order
 * @param memory in units of x
 */
export const smoothed = (
  points: readonly { readonly x: number; readonly y: number }[],
  memory = ((points.at(-1)?.x ?? 0) - (points[0]?.x ?? 0)) * MEMORY,
): readonly { readonly x: number; readonly y: number }[] => {
  let [sum, weight] = [0, 0]
  return points.map(({ x, y }, index) => {
    const kept = index === 0 || memory <= 0 ? 0 : Math.exp(-(x - points[index - 1]!.x) / memory)
    sum = sum * kept + y
    weight = weight * kept + 1
    return { x, y: sum / weight }
  })
}

/** Share of the steps whose losses set the top of a picture. */
const SHOWN = 0.98
/** Room above them, in parts of their spread, and the spread from which a picture would be pressed flat. */
const [ROOM, FLAT] = [1.5, 3]

/**
 * Where a picture of a curve ends above, so that single spikes and the first steps do not press the rest flat; undefined
 * where they do not. Each value stands for the steps until the next.
 *
 * @param points x in ascending order
 * @param typical those that the picture is of, where some are known to be apart, such as one before training
 */
export const ceilingOf = (
  points: readonly { readonly x: number; readonly y: number }[],
  typical = points,
): number | undefined => {
  const known = typical.filter(({ y }) => Number.isFinite(y))
  const weighed = known
    .map(({ x, y }, i) => ({ y, steps: (known[i + 1]?.x ?? x + 1) - x }))
    .sort((a, b) => a.y - b.y)
  const lowest = weighed[0]?.y
  if (lowest === undefined) return undefined
  const highest = points.reduce((most, { y }) => (Number.isFinite(y) ? Math.max(most, y) : most), lowest)
  const total = weighed.reduce((n, { steps }) => n + steps, 0)
  let steps = 0
  const high = weighed.find((each) => (steps += each.steps) >= SHOWN * total)?.y ?? highest
  return highest > lowest + FLAT * (high - lowest) ? lowest + ROOM * (high - lowest) : undefined
}
