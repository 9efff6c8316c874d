/** Canonical JSON (RFC 8785): one text for equal values, whatever the order of the keys. */

const compareUtf16 = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/

const text = (value: string): string => {
  if (LONE_SURROGATE.test(value)) throw new TypeError("canonical JSON has no form for a lone surrogate")
  return JSON.stringify(value)
}

/**
 * The canonical text of a JSON value: keys in order of their UTF-16 units, no spaces, ECMAScript numbers and string
 * escapes. Keys whose value is undefined are absent. Throws a TypeError on what JSON cannot say.
 */
export const canonicalJson = (value: unknown): string => {
  switch (typeof value) {
    case "boolean":
      return String(value)
    case "number":
      if (!Number.isFinite(value)) throw new TypeError(`canonical JSON has no form for ${value}`)
      return JSON.stringify(value)
    case "string":
      return text(value)
    case "object": {
      if (value === null) return "null"
      if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`
      const entries = Object.entries(value)
        .filter(([, inner]) => inner !== undefined)
        .sort(([a], [b]) => compareUtf16(a, b))
      return `{${entries.map(([key, inner]) => `${text(key)}:${canonicalJson(inner)}`).join(",")}}`
    }
    default:
      throw new TypeError(`canonical JSON has no form for a ${typeof value}`)
  }
}
