/** Sweeps: one experiment at every point of a grid, for several seeds. */
import * as Schema from "effect/Schema"
import { Identifier, JsonPointer, Natural } from "./common.js"
import { keysOf, valueAt } from "./pointer.js"

const Axis = Schema.Struct({
  name: Identifier.annotate({ description: "Short name, used in cell names and as a column heading." }),
  pointer: JsonPointer.annotate({
    description: "JSON pointer of the value that varies, for example /model/heads.",
  }),
  values: Schema.NonEmptyArray(Schema.Json).annotate({ description: "The values that it takes." }),
}).annotate({ description: "One dimension of the grid." })

export const Sweep = Schema.Struct({
  grid: Schema.optionalKey(Schema.NonEmptyArray(Axis)).annotate({
    description: "Every combination of the axes' values is one cell; seeds alone when absent.",
  }),
  seeds: Schema.NonEmptyArray(Natural).annotate({
    description: "Each cell is run once with each of these seeds.",
  }),
  streams: Schema.optionalKey(Schema.Literals(["paired", "independent"])).annotate({
    description:
      "paired, when absent: cells of one seed see the same data, times and masks, so their differences pair. independent: every cell draws its own.",
  }),
}).annotate({ description: "Runs of this experiment over a grid of values and seeds." })
export type Sweep = typeof Sweep.Type
export type SweepAxis = typeof Axis.Type

export interface SweepCell {
  /** For example `heads=4,seed=0`. */
  readonly name: string
  readonly settings: readonly { readonly name: string; readonly pointer: string; readonly value: unknown }[]
  /** The seed of the sweep that this cell belongs to; cells of equal seed pair. */
  readonly seed: number
  /** The seed that the run uses: equal to `seed` for paired streams. */
  readonly runSeed: number
}

/** Cells of a sweep; a grid beyond is a slip, or several sweeps. */
export const MOST_CELLS = 1000

/** How many cells a sweep has, without making them. */
export const cellCount = (sweep: Sweep): number =>
  axesOf(sweep).reduce((count, { values }) => count * values.length, sweep.seeds.length)

export const axesOf = ({ grid }: Pick<Sweep, "grid">): readonly SweepAxis[] => grid ?? []

/** Whether cells of one seed see the same data, times and masks. */
export const isPaired = ({ streams = "paired" }: Pick<Sweep, "streams">): boolean => streams === "paired"

/** Every cell, seeds varying fastest. */
export const cellsOf = (sweep: Sweep): readonly SweepCell[] => {
  let points: SweepCell["settings"][] = [[]]
  for (const { name, pointer, values } of axesOf(sweep))
    points = points.flatMap((point) => values.map((value) => [...point, { name, pointer, value }]))
  return points.flatMap((settings, index) =>
    sweep.seeds.map((seed) => ({
      name: [...(settings.length === 0 ? [] : [pointName({ settings })]), `seed=${seed}`].join(","),
      settings,
      seed,
      runSeed: isPaired(sweep) ? seed : seed + 1_000_003 * index,
    })),
  )
}

/** For example `heads=4`: the cells that differ in their seed alone are one point; empty for seeds alone. */
export const pointName = ({ settings }: Pick<SweepCell, "settings">): string =>
  settings
    .map(({ name, value }) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(",")

/** Names of points that differ in one axis by one step, each pair once. */
export const neighbouringPoints = (sweep: Sweep): readonly (readonly [string, string])[] => {
  const points = [...new Map(cellsOf(sweep).map((cell) => [pointName(cell), cell.settings]))]
  const at = (settings: SweepCell["settings"]): readonly number[] =>
    axesOf(sweep).map(({ values }, axis) =>
      values.findIndex((value) => JSON.stringify(value) === JSON.stringify(settings[axis]?.value)),
    )
  const places = points.map(([name, settings]) => ({ name, place: at(settings) }))
  return places.flatMap((a, i) =>
    places.slice(i + 1).flatMap((b): readonly (readonly [string, string])[] => {
      const steps = a.place.map((index, axis) => Math.abs(index - b.place[axis]!))
      return steps.reduce((sum, step) => sum + step, 0) === 1 ? [[a.name, b.name]] : []
    }),
  )
}

/** A copy of `document` with `value` at `pointer`; the place must be there already, or be a new key of an object. */
const withValue = (document: unknown, keys: readonly string[], value: unknown): unknown => {
  const [key, ...rest] = keys
  if (key === undefined) return value
  if (Array.isArray(document))
    return document.map((item: unknown, index) =>
      String(index) === key ? withValue(item, rest, value) : item,
    )
  if (typeof document !== "object" || document === null) return document
  const inner = Object.hasOwn(document, key) ? (document as Record<string, unknown>)[key] : undefined
  return { ...document, [key]: withValue(inner, rest, value) }
}

/** The cell's experiment as a JSON document, not yet decoded. */
export const applyCell = (document: unknown, cell: SweepCell): unknown => {
  const at = [...cell.settings, { pointer: "/training/seed", value: cell.runSeed }]
  return at.reduce((whole, { pointer, value }) => withValue(whole, keysOf(pointer), value), document)
}

/** Whether the parent of `pointer` is there, so that a value can be set. */
export const canSet = (document: unknown, pointer: string): boolean => {
  const parent = valueAt(document, pointer.slice(0, pointer.lastIndexOf("/")))
  return (
    typeof parent === "object" &&
    parent !== null &&
    (!Array.isArray(parent) || Object.hasOwn(parent, keysOf(pointer).at(-1) ?? ""))
  )
}
