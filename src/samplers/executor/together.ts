/** Requests of many rows, answered by one run. */

interface Waiting<A, R> {
  readonly items: readonly A[]
  readonly resolve: (results: readonly R[]) => void
  readonly reject: (cause: unknown) => void
}

/**
 * Requests under one key that are made before the event loop turns are run together.
 *
 * @param run results of the items, in order
 */
export const runTogether = <A, R>(
  run: (key: string, items: readonly A[]) => Promise<readonly R[]>,
): ((key: string, items: readonly A[]) => Promise<readonly R[]>) => {
  let waiting = new Map<string, Waiting<A, R>[]>()
  const flush = (): void => {
    const now = waiting
    waiting = new Map()
    for (const [key, requests] of now) {
      void run(
        key,
        requests.flatMap(({ items }) => items),
      ).then(
        (results) => {
          let at = 0
          for (const { items, resolve } of requests) resolve(results.slice(at, (at += items.length)))
        },
        (cause: unknown) => {
          for (const { reject } of requests) reject(cause)
        },
      )
    }
  }
  return (key, items) =>
    new Promise((resolve, reject) => {
      if (items.length === 0) return resolve([])
      if (waiting.size === 0) setImmediate(flush)
      const requests = waiting.get(key)
      const request = { items, resolve, reject }
      if (requests === undefined) waiting.set(key, [request])
      else requests.push(request)
    })
}
