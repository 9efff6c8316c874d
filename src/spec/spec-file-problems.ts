/** Everything that is wrong in a spec file: of its fields, between them, in each overlay and in each cell of a sweep. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { problemsOf } from "./decode.js"
import { unknownClaim } from "./claim-id.js"
import { experimentSchema } from "./experiment.js"
import { mergePatch } from "./merge-patch.js"
import { child, keysOf, upwards, valueAt } from "./pointer.js"
import { brokenRules } from "./rules.js"
import { SHOWN, type Problem } from "./spec-error.js"
import { applyCell, axesOf, canSet, cellCount, cellsOf, MOST_CELLS, Sweep } from "./sweep.js"
import { bodySchema, isObject, PROFILES, schemaOf } from "./spec-file-schema.js"

export const bodyOf = (document: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const {
    $schema: _schema,
    schemaVersion: _version,
    profiles: _profiles,
    published: _published,
    ...rest
  } = document
  return rest
}

export const experimentOf = (document: Readonly<Record<string, unknown>>): unknown => {
  const { sweep: _sweep, ...rest } = document
  return rest
}

/** The places that no rule can be judged by. Of an object of no known kind, nothing was looked at. */
const wrongPlaces = (problems: readonly Problem[]): ReadonlySet<string> =>
  new Set(
    problems.flatMap(({ pointer, nearest }) =>
      pointer.endsWith("/kind") && nearest === undefined
        ? [pointer, pointer.slice(0, -"/kind".length)]
        : [pointer],
    ),
  )

/** Whether something is wrong at `pointer` or above it. */
const isWrong = (wrong: ReadonlySet<string>, pointer: string): boolean =>
  upwards(pointer).some((place) => wrong.has(place))

/** Problems of a body beside those of its fields: rules between them, claims, and the sweep's cells. */
const furtherProblems = (
  document: Readonly<Record<string, unknown>>,
  inFields: readonly Problem[],
  claims: ReadonlySet<string> | undefined,
): readonly Problem[] => {
  const wrong = wrongPlaces(inFields)
  const broken = brokenRules(document, wrong)
  const unknown = claims === undefined ? [] : unknownClaims(document["claims"], wrong, claims)
  const here = [...broken, ...unknown]
  const sweep = Schema.decodeUnknownResult(Sweep)(document["sweep"])
  if (Result.isFailure(sweep)) return here
  return [...here, ...sweepProblems(experimentOf(document), sweep.success, [...inFields, ...broken])]
}

const unknownClaims = (
  given: unknown,
  wrong: ReadonlySet<string>,
  claims: ReadonlySet<string>,
): readonly Problem[] => {
  let told = 0
  return (Array.isArray(given) ? given : []).flatMap((id: unknown, index): readonly Problem[] => {
    const pointer = `/claims/${index}`
    if (typeof id !== "string" || wrong.has(pointer) || claims.has(id)) return []
    return [unknownClaim(pointer, id, told++ < SHOWN ? claims : [])]
  })
}

/** The problems of a sweep's cells that the experiment does not have without the sweep. */
const sweepProblems = (
  experiment: unknown,
  sweep: Sweep,
  without: readonly Problem[],
): readonly Problem[] => {
  const count = cellCount(sweep)
  if (count > MOST_CELLS)
    return [
      {
        pointer: "/sweep",
        expected: `a sweep of at most ${MOST_CELLS} cells`,
        found: `${count} of them: every combination of the axes' values, with each seed`,
        hint: "Take fewer values, or vary one axis after another in specs of their own.",
      },
    ]
  const axes = axesOf(sweep).map((axis, index) => ({ ...axis, index }))
  const lost = axes
    .filter(({ pointer }) => !canSet(experiment, pointer))
    .map(({ pointer, index }): Problem => ({
      pointer: `/sweep/grid/${index}/pointer`,
      expected: "a pointer to a place in this experiment",
      found: JSON.stringify(pointer),
    }))
  const [first, ...others] = axes.filter(({ pointer }) => canSet(experiment, pointer))
  if (first === undefined) return lost
  const grid = [first, ...others] as const
  const known = wrongPlaces(without)
  const seen = new Set<string>()
  const decodes = Schema.decodeUnknownResult(experimentSchema(), { onExcessProperty: "error" })
  // What a cell says besides its seed is the same for each of them.
  const inCells = cellsOf({ ...sweep, grid, seeds: [sweep.seeds[0]] }).flatMap((cell) => {
    if (seen.size > SHOWN) return []
    const value = applyCell(experiment, cell)
    const fields = Result.isSuccess(decodes(value)) ? [] : problemsOf(experimentSchema(), value)
    const found = [...fields, ...brokenRules(value, wrongPlaces(fields))]
    return found.flatMap((problem): readonly Problem[] => {
      const axis = grid.findIndex(
        ({ pointer }) => problem.pointer === pointer || problem.pointer.startsWith(`${pointer}/`),
      )
      if (axis < 0 && isWrong(known, problem.pointer)) return []
      const item = grid[axis]?.values.findIndex(
        (candidate) => JSON.stringify(candidate) === JSON.stringify(cell.settings[axis]?.value),
      )
      const pointer = axis < 0 ? "/sweep/grid" : `/sweep/grid/${grid[axis]!.index}/values/${item}`
      const key = `${pointer} ${problem.pointer} ${problem.expected}`
      if (seen.has(key)) return []
      seen.add(key)
      return [{ ...problem, pointer, hint: `In cell ${cell.name} at ${problem.pointer}.` }]
    })
  })
  return [...lost, ...inCells]
}

/** Whether an overlay says what stands at `pointer`: there, or by replacing something above it. */
const isSetBy = (overlay: unknown, pointer: string): boolean => {
  let value = overlay
  for (const key of keysOf(pointer)) {
    if (!isObject(value)) return true
    if (!Object.hasOwn(value, key)) return false
    value = value[key]
  }
  return true
}

/** The problems that an overlay causes, placed in the overlay. */
const overlayProblems = (
  name: string,
  base: unknown,
  overlay: unknown,
  inBase: readonly Problem[],
  claims: ReadonlySet<string> | undefined,
): readonly Problem[] => {
  const merged = mergePatch(base, overlay) as Readonly<Record<string, unknown>>
  const inFields = problemsOf(bodySchema(), merged)
  const wrongInBase = new Set(inBase.map(({ pointer }) => pointer))
  return [...inFields, ...furtherProblems(merged, inFields, claims)].flatMap((problem) => {
    const inherited = !isSetBy(overlay, problem.pointer)
    // Where the published configuration is wrong, it is what must change.
    if (inherited && isWrong(wrongInBase, problem.pointer)) return []
    const cure =
      !inherited || valueAt(base, problem.pointer) === undefined
        ? undefined
        : problem.found.startsWith("the unknown key")
          ? "It is left over from the published configuration: set it to null in this overlay."
          : "The value comes from the published configuration; this overlay must change it too."
    const hint = [problem.hint, cure].filter((text) => text !== undefined).join(" ")
    return [
      { ...problem, pointer: child("/profiles", name) + problem.pointer, ...(hint === "" ? {} : { hint }) },
    ]
  })
}

export const problemsOfFile = (
  document: unknown,
  claims: ReadonlySet<string> | undefined,
): readonly Problem[] => {
  const frame = problemsOf(schemaOf(document), document)
  // Beyond what is told, nothing more is looked for.
  if (!isObject(document) || frame.length > SHOWN) return frame
  const base = bodyOf(document)
  const inBase = [...frame, ...furtherProblems(base, frame, claims)]
  if (inBase.length > SHOWN) return inBase
  const profiles = isObject(document["profiles"]) ? document["profiles"] : {}
  const inOverlays = Object.entries(profiles).flatMap(([name, overlay]) =>
    isObject(overlay) &&
    (Object.hasOwn(document, "published") || (PROFILES as readonly string[]).includes(name))
      ? overlayProblems(name, base, overlay, inBase, claims)
      : [],
  )
  return [...inBase, ...inOverlays]
}
