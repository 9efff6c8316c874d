/** Steps that an executor has before their results are known, so that its device need not wait until they are read. */

export interface InFlight<T> {
  /** The result of the next step, in order. Further ones are begun first. @throws what the step threw */
  readonly next: () => Promise<T>
  /** Nothing new is begun; what is begun is still to be asked for. */
  readonly stop: () => void
  /** Steps that are begun and whose results were not asked for. */
  readonly open: number
  /** Stops, and resolves when nothing runs any more. */
  readonly close: () => Promise<void>
}

export interface FlightPlan<T> {
  /** Steps taken already; the first that is begun has this number. */
  readonly first: number
  readonly end: number
  /** Most steps that are begun and not yet answered. */
  readonly depth: number
  /** Whether nothing may be begun after `taken` steps until their results were asked for. */
  readonly pausesAfter: (taken: number) => boolean
  /** Begins step s; called in order, and not before the results of those before a pause were taken. */
  readonly begin: (step: number) => Promise<T>
}

/** Begins steps [first, end) in order. What a step gives must not depend on how many are begun. */
export const inFlight = <T>({ first, end, depth, pausesAfter, begin }: FlightPlan<T>): InFlight<T> => {
  const open: Promise<T>[] = []
  let begun = first
  let answered = first
  let stopped = false
  const mayBegin = (): boolean =>
    !stopped && begun < end && open.length < depth && (begun === answered || !pausesAfter(begun))
  const fill = (): void => {
    while (mayBegin()) {
      const step = begin(begun++)
      // One that fails is told of when it is asked for, or never.
      step.catch(() => undefined)
      open.push(step)
    }
  }
  return {
    next: async () => {
      fill()
      const step = open.shift()
      if (step === undefined) throw new Error(`there are no steps after ${begun}`)
      try {
        return await step
      } finally {
        answered++
      }
    },
    stop: () => void (stopped = true),
    get open() {
      return open.length
    },
    close: async () => {
      stopped = true
      await Promise.allSettled(open)
    },
  }
}
