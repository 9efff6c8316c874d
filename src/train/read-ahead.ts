/** Values of steps that are made before they are asked for, so that a device need not wait for them. */

export interface ReadAhead<T> {
  /** The value of the next step. @throws what making it threw: a step that is never asked for fails nobody */
  readonly next: () => Promise<T>
  /** Resolves when nothing is being made any more; nothing new is begun. */
  readonly close: () => Promise<void>
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/**
 * Makes the values of steps [first, end) in order, one at a time, each once. `depth` of them at most are made and not yet
 * taken. What a value is depends on its step alone, so neither the depth nor the time at which it is made changes it.
 */
export const readAhead = <T>(
  make: (step: number) => Promise<T>,
  { first, end, depth }: { readonly first: number; readonly end: number; readonly depth: number },
): ReadAhead<T> => {
  const ready: Promise<T>[] = []
  let begun = first
  let closed = false
  let last: Promise<unknown> = Promise.resolve()
  const begin = (): void => {
    if (closed || begun === end || ready.length >= depth) return
    const step = begun++
    // After a turn of the event loop: the feeds of the step before are handed to the device first.
    const value = last.then(tick).then(() => make(step))
    last = value.catch(() => (closed = true))
    ready.push(value)
    void value.then(begin, () => undefined)
  }
  begin()
  return {
    next: () => {
      begin()
      const value = ready.shift()
      if (value === undefined) return Promise.reject(new Error(`there are no steps after ${end}`))
      // What takes its place is begun once the caller has used this one.
      void value.then(begin, () => undefined)
      return value
    },
    close: async () => {
      closed = true
      await Promise.allSettled([...ready, last])
    },
  }
}
