/** Text of others, before a person sees it: what would steer a terminal is written out. */

/** Controls of C0 and C1, marks and overrides of direction, separators of lines and paragraphs. */
// oxlint-disable-next-line no-control-regex
const STEERING = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** Line feeds with or without a carriage return, tabs. */
const LAYOUT = /\r\n|[\n\t]/

/** A colour or a weight, as this program sets them (ECMA-48 SGR). */
// oxlint-disable-next-line no-control-regex
const PAINT = /\u001b\[[0-9;]*m/

const written = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

/** One line: line feeds and tabs are written out too. */
export const visibleLine = (text: string): string => text.replace(STEERING, written)

const keeping =
  (kept: RegExp) =>
  (text: string): string =>
    text.replace(new RegExp(`${kept.source}|${STEERING.source}`, "g"), (found) =>
      found.length > 1 || LAYOUT.test(found) ? found : written(found),
    )

/** Lines: line feeds and tabs stay. */
export const visible = keeping(LAYOUT)

/** Lines that this program painted; what it painted was visible before. */
export const visiblePainted = keeping(new RegExp(`${LAYOUT.source}|${PAINT.source}`))

/** The same data with every text in it as {@link visible}. */
export const visibleIn = <A>(value: A): A => {
  if (typeof value === "string") return visible(value) as A
  if (Array.isArray(value)) return value.map(visibleIn) as A
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, visibleIn(inner as unknown)]),
  ) as A
}
