/** Values that came out of the sandbox, by exact Python type; python/sandbox/values.py writes them. */

export type Plain =
  | { readonly type: "none" }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "int"; readonly value: bigint }
  | { readonly type: "float"; readonly value: number }
  | { readonly type: "str"; readonly value: string }
  /** A plain value that no grader here compares: list, dict, bytes and the like. */
  | { readonly type: "other"; readonly name: string }

const NAMES: Readonly<Record<string, string>> = {
  c: "complex",
  y: "bytes",
  l: "list",
  t: "tuple",
  d: "dict",
  s: "set",
  z: "frozenset",
}

/** Python's float.hex: sign, 0x, one digit, fraction, binary exponent. Exact: 53 bits fit a double. */
const floatOf = (text: string): number | undefined => {
  if (text === "nan" || text === "-nan") return Number.NaN
  if (text === "inf") return Number.POSITIVE_INFINITY
  if (text === "-inf") return Number.NEGATIVE_INFINITY
  const match = /^(-?)0x([01])\.([0-9a-f]{1,13})p([+-]\d{1,4})$/.exec(text)
  if (match === null) return undefined
  const digits = BigInt(`0x${match[2]!}${match[3]!}`)
  const exponent = Number(match[4]) - 4 * match[3]!.length
  // In two factors, so that the smallest doubles do not vanish on the way.
  const half = Math.trunc(exponent / 2)
  const size = Number(digits) * 2 ** half * 2 ** (exponent - half)
  return match[1] === "-" ? -size : size
}

/** The value that the code says; undefined for what the runner would never write. */
export const decodePlain = (coded: unknown): Plain | undefined => {
  if (coded === null) return { type: "none" }
  if (typeof coded === "boolean") return { type: "bool", value: coded }
  if (typeof coded === "string") return { type: "str", value: coded }
  if (!Array.isArray(coded) || typeof coded[0] !== "string") return undefined
  const [tag, text] = coded as [string, unknown]
  if (tag === "i") {
    if (typeof text !== "string" || !/^-?[0-9a-f]+$/.test(text)) return undefined
    const negative = text.startsWith("-")
    const size = BigInt(`0x${negative ? text.slice(1) : text}`)
    return { type: "int", value: negative ? -size : size }
  }
  if (tag === "f") {
    const value = typeof text === "string" ? floatOf(text) : undefined
    return value === undefined ? undefined : { type: "float", value }
  }
  const name = NAMES[tag]
  return name === undefined ? undefined : { type: "other", name }
}
