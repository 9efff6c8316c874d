/** JSON Pointer (RFC 6901). */

const escape = (key: string | number): string =>
  typeof key === "number" || !/[~/]/.test(key) ? String(key) : key.replaceAll("~", "~0").replaceAll("/", "~1")

/** `pointer` extended by one key or index. */
export const child = (pointer: string, key: string | number): string => `${pointer}/${escape(key)}`

/** The keys of a pointer, unescaped; the root is the empty list. */
export const keysOf = (pointer: string): readonly string[] =>
  pointer === ""
    ? []
    : pointer
        .slice(1)
        .split("/")
        .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"))

/** The value at `pointer`, or undefined where there is none. */
export const valueAt = (root: unknown, pointer: string): unknown => {
  let value = root
  for (const key of keysOf(pointer)) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

/** `pointer` and every place above it, up to a key of the root. */
export const upwards = (pointer: string): readonly string[] =>
  pointer === "" ? [] : [pointer, ...upwards(pointer.slice(0, pointer.lastIndexOf("/")))]
