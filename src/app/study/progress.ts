/** Where a study stands: which member of how many, and how long the rest may take. */
import type { Display } from "../../run/display.js"
import { duration } from "../../run/progress.js"
import type { PlannedMember } from "./members.js"

/** How a member ended, or why it did not begin. */
export interface MemberOutcome {
  readonly name: string
  readonly fingerprint: string
  /** elsewhere: another process is at it. pending: the study was stopped before it. */
  readonly state: "finished" | "stopped" | "elsewhere" | "failed" | "pending"
  /** How the run came to be finished. */
  readonly how?: "found" | "resumed" | "made"
  readonly run?: string
  /** Why it is not finished. */
  readonly message?: string
}

export const outcomeOf = (
  { name, fingerprint }: PlannedMember,
  rest: Omit<MemberOutcome, "name" | "fingerprint">,
): MemberOutcome => ({ name, fingerprint, ...rest })

/** A display whose phases say which member they are of. */
export const memberDisplay = (display: Display, prefix: string): Display => ({
  ...display,
  phase: (name, total, options) => display.phase(`${prefix} ${name}`, total, options),
})

export interface TimeLeft {
  readonly seconds: number
  /** Whether a member of this study was timed whole; else the plans' training and evaluation alone, without start-up. */
  readonly measured: boolean
}

export interface Estimate {
  /** A member was computed in this many seconds. */
  readonly took: (member: PlannedMember, seconds: number) => void
  /** What these members may take together, on this many workers. */
  readonly left: (members: readonly PlannedMember[], workers: number) => TimeLeft
}

/** Plans estimate the seconds; what the members of this study really took corrects them. */
export const estimator = (): Estimate => {
  let [planned, real] = [0, 0]
  return {
    took: (member, seconds) => {
      planned += member.seconds
      real += seconds
    },
    left: (members, workers) => {
      const sum = members.reduce((total, { seconds }) => total + seconds, 0)
      const measured = planned > 0
      const seconds = (sum * (measured ? real / planned : 1)) / Math.max(1, Math.min(workers, members.length))
      return { seconds, measured }
    },
  }
}

/**
 * `Cell 2 of 15, heads=4,seed=1; about 12 min 30 s for the 14 left.` Before one was timed it says that the plans do not
 * count start-up.
 */
export const memberLine = (
  index: number,
  total: number,
  name: string,
  left: number,
  { seconds, measured }: TimeLeft,
  noun = "Cell",
): string =>
  `${noun} ${index + 1} of ${total}, ${name}; about ${duration(seconds)}${measured ? "" : " of training and evaluation, start-up not counted,"} for the ${left === 1 ? "one" : left} left.`
