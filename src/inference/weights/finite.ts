/** Weights that are no numbers are named before anything is measured with them. */
import { DataError } from "../../files/errors.js"
import type { HostTensors } from "../../engine/executor.js"

/** Index of an element, as [row, column] and so on. */
const place = (index: number, shape: readonly number[]): string => {
  const at: number[] = []
  let rest = index
  for (const size of shape.toReversed()) {
    at.unshift(rest % size)
    rest = Math.floor(rest / size)
  }
  return `[${at.join(", ")}]`
}

/**
 * @param name of a parameter in the file, for the sentence
 * @throws DataError that names the first tensor with a value that is not finite, and how many tensors have one
 */
export const requireFinite = (
  parameters: HostTensors,
  subject: string,
  name: (parameter: string) => string = (parameter) => parameter,
): void => {
  const bad = Object.entries(parameters).flatMap(([key, { shape, data }]) => {
    const first = (data as Float32Array).findIndex((x) => !Number.isFinite(x))
    if (first < 0) return []
    const count = (data as Float32Array).reduce((n, x) => n + (Number.isFinite(x) ? 0 : 1), 0)
    return [{ name: name(key), count, size: data.length, value: data[first]!, at: place(first, shape) }]
  })
  const [first] = bad
  if (first === undefined) return
  const rest =
    bad.length === 1
      ? ""
      : `, and so have ${bad.length - 1} more tensors: ${bad
          .slice(1, 5)
          .map((each) => each.name)
          .join(", ")}${bad.length > 5 ? ", ..." : ""}`
  throw new DataError(
    "invalid",
    subject,
    `${first.name} has ${first.count} of ${first.size} values that are not finite numbers (the first, ${first.value}, at ${first.at})${rest}; nothing was evaluated. Take a checkpoint from before training diverged, or save it again in a wider element type.`,
  )
}
