/** Everything that is wrong in a spec file: of its fields, between them, in each overlay and in each cell of a sweep. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { problemsOf } from "./decode.js"
import { unknownClaim } from "./claim-id.js"
import { experimentSchema } from "./experiment.js"
import { mergePatch } from "./merge-patch.js"
import { child, keysOf, upwards, valueAt } from "./pointer.js"
import { ProblemList } from "./problems.js"
import { brokenRules } from "./rules.js"
import { SHOWN, type Problem } from "./spec-error.js"
import { applyCell, axesOf, canSet, cellCount, cellsOf, MOST_CELLS, Sweep } from "./sweep.js"
import { PROFILES, bodySchema, schemaOf, isObject } from "./spec-file-schema.js"

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

/** Adds the problems of a body beside those of its fields: rules between them, claims, and the sweep's cells. */
const addFurther = (
  document: Readonly<Record<string, unknown>>,
  inFields: readonly Problem[],
  claims: ReadonlySet<string> | undefined,
  to: ProblemList,
): void => {
  const wrong = wrongPlaces(inFields)
  const broken = brokenRules(document, wrong)
  to.append(broken)
  if (claims !== undefined) addUnknownClaims(document["claims"], wrong, claims, to)
  const sweep = Schema.decodeUnknownResult(Sweep)(document["sweep"])
  if (Result.isFailure(sweep)) return
  to.append(sweepProblems(experimentOf(document), sweep.success, [...inFields, ...broken]))
}

const addUnknownClaims = (
  given: unknown,
  wrong: ReadonlySet<string>,
  claims: ReadonlySet<string>,
  to: ProblemList,
): void => {
  if (!Array.isArray(given)) return
  for (const [index, id] of (given as readonly unknown[]).entries()) {
    if (typeof id !== "string" || claims.has(id)) continue
    const pointer = `/claims/${index}`
    if (!wrong.has(pointer))
      to.add(
        () => pointer,
        () => unknownClaim(pointer, id, claims),
      )
  }
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
    const fields = Result.isSuccess(decodes(value)) ? [] : problemsOf(experimentSchema(), value).told
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

/**
 * Adds the problems that an overlay causes, placed in the overlay.
 *
 * @param inBase those of the published configuration: of its fields, and all
 */
const addOverlay = (
  name: string,
  base: unknown,
  overlay: unknown,
  inBase: { readonly inFields: readonly Problem[]; readonly all: readonly Problem[] },
  claims: ReadonlySet<string> | undefined,
  to: ProblemList,
): void => {
  const merged = mergePatch(base, overlay) as Readonly<Record<string, unknown>>
  const wrongInBase = new Set(inBase.all.map(({ pointer }) => pointer))
  // Where the published configuration is wrong, it is what must change.
  const keeps = (pointer: string): boolean => !isWrong(wrongInBase, pointer) || isSetBy(overlay, pointer)
  const found = problemsOf(bodySchema(), merged, wrongInBase.size === 0 ? undefined : keeps)
  const inherited = inBase.inFields.filter(({ pointer }) => !isSetBy(overlay, pointer))
  if (!found.isFull) addFurther(merged, [...inherited, ...found.told], claims, found)
  const placed = found.told.map((problem): Problem => {
    const cure =
      isSetBy(overlay, problem.pointer) || valueAt(base, problem.pointer) === undefined
        ? undefined
        : problem.found.startsWith("the unknown key")
          ? "It is left over from the published configuration: set it to null in this overlay."
          : "The value comes from the published configuration; this overlay must change it too."
    const hint = [problem.hint, cure].filter((text) => text !== undefined).join(" ")
    const pointer = child("/profiles", name) + problem.pointer
    return { ...problem, pointer, ...(hint === "" ? {} : { hint }) }
  })
  to.append(placed, found.more)
}

export const problemsOfFile = (document: unknown, claims: ReadonlySet<string> | undefined): ProblemList => {
  const found = problemsOf(schemaOf(document), document)
  if (!isObject(document) || found.isFull) return found
  const base = bodyOf(document)
  const inFields = [...found.told]
  addFurther(base, inFields, claims, found)
  if (found.isFull) return found
  const inBase = { inFields, all: [...found.told] }
  const profiles = isObject(document["profiles"]) ? document["profiles"] : {}
  for (const [name, overlay] of Object.entries(profiles))
    if (
      isObject(overlay) &&
      (Object.hasOwn(document, "published") || (PROFILES as readonly string[]).includes(name))
    )
      addOverlay(name, base, overlay, inBase, claims, found)
  return found
}
