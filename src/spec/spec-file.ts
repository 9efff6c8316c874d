/**
 * Spec files: the published configuration (profile `paper`) and overlays for smaller machines.
 *
 * An overlay is a JSON merge patch (RFC 7396) on the experiment. It is applied before decoding, and every profile
 * of a file is checked whenever the file is read, so that a mistake never waits for the day the profile is used.
 */
import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { ShortIdentifier } from "./common.js"
import { decodeValue, problemsOf, readJson, withPositions } from "./decode.js"
import { unknownClaim } from "./claim-id.js"
import { experimentSchema, type Experiment } from "./experiment.js"
import { objectivePart } from "../families/index.js"
import { fingerprint } from "./fingerprint.js"
import { judgeIn } from "./judge.js"
import { composePatches, differencesOf, mergePatch } from "./merge-patch.js"
import { child, keysOf, upwards, valueAt } from "./pointer.js"
import { ProblemList } from "./problems.js"
import { brokenRules } from "./rules.js"
import { perRegistration } from "./registration.js"
import { SHOWN, SpecError, type Problem } from "./spec-error.js"
import { pinParents } from "./stages.js"
import { findNamedSpec, resolveSpec } from "./variation.js"
import { applyCell, axesOf, canSet, cellCount, cellsOf, MOST_CELLS, Sweep, type SweepCell } from "./sweep.js"

export const PROFILES = ["paper", "laptop", "ci"] as const
/** `paper`, or the name of one of the file's overlays: a published spec has those of {@link PROFILES}. */
export type Profile = string

const Overlay = Schema.Record(Schema.String, Schema.Json).annotate({
  description:
    "JSON merge patch (RFC 7396) on the experiment above: objects merge, null removes a key, lists and other values replace.",
})

const bodyFields = perRegistration(() => ({
  ...experimentSchema().fields,
  sweep: Schema.optionalKey(Sweep),
}))
/** An experiment with its sweep: what profiles are overlaid on. */
const bodySchema = perRegistration(() => Schema.Struct(bodyFields()))

/** The whole file, over the families that are registered now. */
const fileSchema = perRegistration(() =>
  Schema.Struct({
    $schema: Schema.optionalKey(Schema.String).annotate({
      description: "Path of experiment.schema.json, for completion and hover text in an editor.",
    }),
    schemaVersion: Schema.Literal(1).annotate({ description: "Version of this format." }),
    ...bodyFields(),
    profiles: Schema.Struct({
      laptop: Schema.optionalKey(Overlay),
      ci: Schema.optionalKey(Overlay),
    }).annotate({
      description: "Overlays for smaller machines; the fields above are the published configuration.",
    }),
  }),
)
export const SpecFile = fileSchema()

/** A file that varies a published experiment, which stands in it as `published`. */
const variationSchema = perRegistration(() =>
  Schema.Struct({
    ...fileSchema().fields,
    profiles: Schema.Record(ShortIdentifier, Overlay),
    published: Schema.Json,
  }),
)

const schemaOf = (document: unknown) =>
  isObject(document) && Object.hasOwn(document, "published") ? variationSchema() : fileSchema()

/** One place where a profile differs from the published configuration; undefined is absence. */
export interface ProfileDifference {
  readonly pointer: string
  readonly paper: unknown
  readonly profile: unknown
}

export interface LoadedSpec {
  readonly file: string
  /** The whole spec file: decoding it again for `profile` gives this spec. */
  readonly text: string
  readonly profile: Profile
  /** Every profile of the file. */
  readonly profiles: readonly Profile[]
  readonly experiment: Experiment
  /** What a results table must name beside its numbers; empty for `paper`. */
  readonly differences: readonly ProfileDifference[]
  readonly fingerprint: string
  readonly sweep?: Sweep
  /** The profile's experiment as JSON, before decoding. */
  readonly document: unknown
  /**
   * The spec whose profile has a merge patch (RFC 7396) applied; other profiles keep what they say, and for `paper`
   * inherit the change as they inherit everything. The spec itself where the patch changes nothing.
   *
   * @param options told: what changes is a difference from the published experiment also where the profile is `paper`
   * @throws SpecError when what comes out is not valid
   */
  readonly with: (
    patch: Readonly<Record<string, unknown>>,
    options?: { readonly told?: boolean },
  ) => LoadedSpec
  /** What a command line set, as it was given; absent when nothing was. */
  readonly settings?: readonly string[]
  /** The spec whose result it begins from, under the profile that it names. */
  readonly parent?: LoadedSpec
  /** The specs that judge its texts, by the fingerprint that the evaluations hold; absent where none does. */
  readonly judges?: ReadonlyMap<string, LoadedSpec>
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const bodyOf = (document: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const {
    $schema: _schema,
    schemaVersion: _version,
    profiles: _profiles,
    published: _published,
    ...rest
  } = document
  return rest
}

const experimentOf = (document: Readonly<Record<string, unknown>>): unknown => {
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

const problemsOfFile = (document: unknown, claims: ReadonlySet<string> | undefined): ProblemList => {
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

/** Places whose difference changes no number. */
const UNTOLD = /^\/(id|title|description|source|claims|execution|sweep|training\/checkpointEvery)(\/|$)/

/**
 * Decodes the text of a spec file for one profile.
 *
 * @param claims ids of the published claims that there are; those of the spec are not looked at when absent
 * @throws SpecError with every problem of every profile
 */
export const decodeSpec = (
  text: string,
  file: string,
  profile: Profile,
  claims?: ReadonlySet<string>,
): LoadedSpec => {
  const { value: document, locate } = readJson(text, file)
  const problems = problemsOfFile(document, claims)
  if (problems.told.length > 0) throw new SpecError(file, withPositions(problems.told, locate), problems.more)
  const whole = decodeValue(schemaOf(document), document, file, locate)
  const base = bodyOf(document as Readonly<Record<string, unknown>>)
  const { published = base } = document as { readonly published?: unknown }
  const overlays = whole.profiles as Readonly<Record<string, unknown>>
  const profiles = [
    ...PROFILES.filter((each) => each === "paper" || overlays[each] !== undefined),
    ...Object.keys(overlays).filter((each) => !(PROFILES as readonly string[]).includes(each)),
  ]
  const overlay = profile === "paper" ? {} : Object.hasOwn(overlays, profile) ? overlays[profile] : undefined
  if (overlay === undefined) {
    throw new SpecError(file, [
      {
        pointer: child("/profiles", profile),
        expected: `one of the profiles of this file: ${profiles.join(", ")}`,
        found: "nothing",
      },
    ])
  }
  const merged = mergePatch(base, overlay) as Readonly<Record<string, unknown>>
  const { sweep, ...experiment } = Schema.decodeUnknownSync(bodySchema())(merged)
  const differences = differencesOf(
    experimentOf(published as Readonly<Record<string, unknown>>),
    experimentOf(merged),
  )
    .filter(({ pointer }) => !UNTOLD.test(pointer))
    .map(({ pointer, before, after }) => ({ pointer, paper: before, profile: after }))
  const loaded: LoadedSpec = {
    file,
    text,
    profile,
    profiles,
    experiment,
    differences,
    fingerprint: fingerprint(experiment),
    ...(sweep === undefined ? {} : { sweep }),
    document: experimentOf(merged),
    with: (patch, { told = false } = {}) => {
      if (differencesOf(merged, mergePatch(merged, patch)).length === 0) return loaded
      const varied = told && profile === "paper" ? { ...(document as object), published } : document
      return decodeSpec(patchedText(varied, profile, patch), file, profile, claims)
    },
  }
  return loaded
}

/** The text of a spec file with a patch on one profile. */
const patchedText = (document: unknown, profile: Profile, patch: unknown): string => {
  const whole = document as Readonly<Record<string, unknown>>
  const profiles = whole["profiles"] as Readonly<Record<string, unknown>>
  const changed =
    profile === "paper"
      ? mergePatch(whole, patch)
      : { ...whole, profiles: { ...profiles, [profile]: composePatches(profiles[profile], patch) } }
  return `${JSON.stringify(changed, null, 2)}\n`
}

/** The experiment of one cell of a sweep. */
export const cellExperiment = (spec: LoadedSpec, cell: SweepCell): Experiment =>
  decodeValue(experimentSchema(), applyCell(spec.document, cell), spec.file)

/** What a spec rests on. */
type Stages = Pick<LoadedSpec, "parent" | "judges">

/** Where a varied spec names another stage than was read with it. */
const strayStage = ({ init, evaluations }: Experiment, own: Experiment, { parent, judges }: Stages) => {
  if (init !== undefined && "run" in init) {
    const { run } = (own.init ?? {}) as { readonly run?: string }
    if (init.run !== run || init.fingerprint !== parent?.fingerprint) return { pointer: "/init", found: init }
  }
  const stray = evaluations.findIndex((evaluation) => {
    const judge = judgeIn(evaluation)
    return judge !== undefined && judges?.has(judge.fingerprint ?? "") !== true
  })
  return stray < 0
    ? undefined
    : { pointer: `/evaluations/${stray}/judge`, found: judgeIn(evaluations[stray]!) }
}

/** The spec with those that it rests on, also where it is varied. @throws SpecError where a variation names another */
const withStages = (spec: LoadedSpec, stages: Stages): LoadedSpec => ({
  ...spec,
  ...stages,
  with: (patch, options) => {
    const varied = spec.with(patch, options)
    const stray = strayStage(varied.experiment, spec.experiment, stages)
    if (stray !== undefined)
      throw new SpecError(spec.file, [
        {
          pointer: stray.pointer,
          expected: "what the spec file says",
          found: JSON.stringify(stray.found),
          hint: "A spec of your own that begins from another, or is judged by one, names it: `extends` this one and set it there.",
        },
      ])
    return withStages(varied, stages)
  },
})

/** Specs of a chain that were read already, by file and profile. */
type ReadStages = Map<string, Promise<LoadedSpec>>

const loadStage = async (
  path: string,
  profile: Profile,
  claims: ReadonlySet<string> | undefined,
  stages: ReadStages,
  behind: readonly string[],
): Promise<LoadedSpec> => {
  if (behind.includes(resolve(path)))
    throw new SpecError(path, [
      {
        pointer: "/init/run",
        expected: "a spec that does not begin from this one, nor is judged by it, in turn",
        found: "a circle",
      },
    ])
  const resolved = await resolveSpec(await readSpecText(path), path, readSpecText)
  const load = async (name: string, of: Profile, pointer: string): Promise<LoadedSpec> => {
    const file = await findNamedSpec(name, path, pointer)
    const key = JSON.stringify([resolve(file), of])
    const found = stages.get(key) ?? loadStage(file, of, undefined, stages, [...behind, resolve(path)])
    stages.set(key, found)
    return found
  }
  const text = await pinParents(resolved.text, path, load)
  const changed = resolved.changed || text !== resolved.text
  try {
    const spec = decodeSpec(text, path, profile, claims)
    const { init, evaluations } = spec.experiment
    const judges = new Map<string, LoadedSpec>()
    for (const [i, judge] of evaluations.map(judgeIn).entries()) {
      if (judge?.fingerprint === undefined) continue
      const found = await load(judge.run, judge.profile ?? profile, `/evaluations/${i}/judge/run`)
      if (objectivePart(found.experiment.objective).scored !== "all")
        throw new SpecError(path, [
          {
            pointer: `/evaluations/${i}/judge/run`,
            expected: "the spec of a network that predicts the next token",
            found: `${judge.run}, whose objective is ${found.experiment.objective.kind}`,
          },
        ])
      judges.set(judge.fingerprint, found)
    }
    const begins = init !== undefined && "run" in init
    if (!begins && judges.size === 0) return spec
    return withStages(spec, {
      ...(begins ? { parent: await load(init.run, init.profile ?? profile, "/init/run") } : {}),
      ...(judges.size === 0 ? {} : { judges }),
    })
  } catch (error) {
    if (!(error instanceof SpecError) || !changed || error.file !== path) throw error
    // Lines are those of the file that a person wrote.
    const bare = error.problems.map(({ position: _position, ...problem }) => problem)
    throw new SpecError(path, withPositions(bare, resolved.locate), error.more)
  }
}

/** Reads and decodes a spec file, with what it extends and the specs that it begins from; see {@link decodeSpec}. */
export const loadSpec = async (
  path: string,
  profile: Profile,
  claims?: ReadonlySet<string>,
): Promise<LoadedSpec> => loadStage(path, profile, claims, new Map(), [])

/** The text of a spec file; a missing file is a {@link SpecError} too. */
export const readSpecText = async (path: string): Promise<string> => {
  try {
    return await readFile(path, "utf8")
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable"
    const found = code === "ENOENT" ? "no such file" : code === "EISDIR" ? "a directory" : code
    throw new SpecError(path, [
      {
        pointer: "",
        expected: "a spec file (JSON)",
        found,
        hint: "`repro list` shows the specs that are here.",
      },
    ])
  }
}
