/** Reading a value some of whose places are known to be wrong. */
import { child } from "./pointer.js"

/** A place was read whose value is wrong, so that nothing can be concluded from it. */
class Unreadable extends Error {
  override readonly name = "Unreadable"
}

const guarded = (value: unknown, wrong: ReadonlySet<string>, pointer: string): unknown =>
  typeof value !== "object" || value === null
    ? value
    : new Proxy(value, {
        get: (target, key) => {
          if (typeof key === "symbol") return Reflect.get(target, key) as unknown
          const place = child(pointer, key)
          if (wrong.has(place)) throw new Unreadable(place)
          const inner: unknown = Reflect.get(target, key)
          return Array.isArray(target) && !Object.hasOwn(target, key) ? inner : guarded(inner, wrong, place)
        },
      })

/**
 * `value` as the type that it would have without the places in `wrong` (JSON pointers, those of missing keys
 * included). What reads none of them sees a value of that type; reading one ends {@link ifReadable}.
 */
export const readable = <A>(value: unknown, wrong: Iterable<string>): A =>
  guarded(value, new Set(wrong), "") as A

/** What `read` finds; undefined when it read a wrong place. */
export const ifReadable = <A>(read: () => A): A | undefined => {
  try {
    return read()
  } catch (error) {
    if (error instanceof Unreadable) return undefined
    throw error
  }
}
