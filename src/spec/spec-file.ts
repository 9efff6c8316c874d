/**
 * Spec files: the published configuration (profile `paper`) and overlays for smaller machines.
 *
 * An overlay is a JSON merge patch (RFC 7396) on the experiment. It is applied before decoding, and every profile
 * of a file is checked whenever the file is read, so that a mistake never waits for the day the profile is used.
 */
import { readFile } from "node:fs/promises"
import * as Schema from "effect/Schema"
import { decodeValue, problemsOf, readJson, withPositions } from "./decode.js"
import { Experiment } from "./experiment.js"
import { fingerprint } from "./fingerprint.js"
import { differencesOf, mergePatch } from "./merge-patch.js"
import { child, valueAt } from "./pointer.js"
import { brokenRules } from "./rules.js"
import { SpecError, type Problem } from "./spec-error.js"
import { applyCell, canSet, cellsOf, Sweep, type SweepCell } from "./sweep.js"

export const PROFILES = ["paper", "laptop", "ci"] as const
export type Profile = (typeof PROFILES)[number]

const Overlay = Schema.Record(Schema.String, Schema.Json).annotate({
  description:
    "JSON merge patch (RFC 7396) on the experiment above: objects merge, null removes a key, lists and other values replace.",
})

const body = { ...Experiment.fields, sweep: Schema.optionalKey(Sweep) }
/** An experiment with its sweep: what profiles are overlaid on. */
const Body = Schema.Struct(body)

/** The whole file. */
export const SpecFile = Schema.Struct({
  $schema: Schema.optionalKey(Schema.String).annotate({
    description: "Path of experiment.schema.json, for completion and hover text in an editor.",
  }),
  schemaVersion: Schema.Literal(1).annotate({ description: "Version of this format." }),
  ...body,
  profiles: Schema.Struct({ laptop: Schema.optionalKey(Overlay), ci: Schema.optionalKey(Overlay) }).annotate({
    description: "Overlays for smaller machines; the fields above are the published configuration.",
  }),
})

/** One place where a profile differs from the published configuration; undefined is absence. */
export interface ProfileDifference {
  readonly pointer: string
  readonly paper: unknown
  readonly profile: unknown
}

export interface LoadedSpec {
  readonly file: string
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
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const bodyOf = (document: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const { $schema: _schema, schemaVersion: _version, profiles: _profiles, ...rest } = document
  return rest
}

const experimentOf = (document: Readonly<Record<string, unknown>>): unknown => {
  const { sweep: _sweep, ...rest } = document
  return rest
}

/** Problems of fields, else of rules between fields, else of the sweep's cells. */
const bodyProblems = (document: unknown): readonly Problem[] => {
  const problems = problemsOf(Body, document)
  if (problems.length > 0 || !isObject(document)) return problems
  const experiment = Schema.decodeUnknownSync(Experiment)(experimentOf(document))
  const broken = brokenRules(experiment)
  return broken.length > 0 || document["sweep"] === undefined ? broken : sweepProblems(document)
}

const sweepProblems = (document: Readonly<Record<string, unknown>>): readonly Problem[] => {
  const sweep = Schema.decodeUnknownSync(Sweep)(document["sweep"])
  const experiment = experimentOf(document)
  const lost = sweep.grid.flatMap(({ pointer }, index): readonly Problem[] =>
    canSet(experiment, pointer)
      ? []
      : [
          {
            pointer: `/sweep/grid/${index}/pointer`,
            expected: "a pointer to a place in this experiment",
            found: JSON.stringify(pointer),
          },
        ],
  )
  if (lost.length > 0) return lost
  const seen = new Set<string>()
  return cellsOf(sweep).flatMap((cell) => {
    const value = applyCell(experiment, cell)
    const fields = problemsOf(Experiment, value)
    const found = fields.length > 0 ? fields : brokenRules(Schema.decodeUnknownSync(Experiment)(value))
    return found.flatMap((problem): readonly Problem[] => {
      const axis = sweep.grid.findIndex(({ pointer }) => problem.pointer.startsWith(pointer))
      const item = sweep.grid[axis]?.values.findIndex(
        (candidate) => JSON.stringify(candidate) === JSON.stringify(cell.settings[axis]?.value),
      )
      const pointer = axis < 0 ? "/sweep/grid" : `/sweep/grid/${axis}/values/${item}`
      const key = `${pointer} ${problem.pointer} ${problem.expected}`
      if (seen.has(key)) return []
      seen.add(key)
      return [{ ...problem, pointer, hint: `In cell ${cell.name} at ${problem.pointer}.` }]
    })
  })
}

/** The problems that an overlay causes, placed in the overlay. */
const overlayProblems = (
  name: string,
  base: unknown,
  overlay: unknown,
  inBase: readonly Problem[],
): readonly Problem[] => {
  const known = new Set(inBase.map(({ pointer, expected, found }) => `${pointer} ${expected} ${found}`))
  const prefix = child("/profiles", name)
  return bodyProblems(mergePatch(base, overlay))
    .filter(({ pointer, expected, found }) => !known.has(`${pointer} ${expected} ${found}`))
    .map((problem) => {
      const inherited =
        valueAt(overlay, problem.pointer) === undefined && valueAt(base, problem.pointer) !== undefined
      const cure =
        inherited && problem.found.startsWith("the unknown key")
          ? "It is left over from the published configuration: set it to null in this overlay."
          : inherited
            ? "The value comes from the published configuration; this overlay must change it too."
            : undefined
      const hint = [problem.hint, cure].filter((text) => text !== undefined).join(" ")
      return { ...problem, pointer: prefix + problem.pointer, ...(hint === "" ? {} : { hint }) }
    })
}

const problemsOfFile = (document: unknown): readonly Problem[] => {
  if (!isObject(document)) return problemsOf(SpecFile, document)
  const frame = problemsOf(SpecFile, document)
  const base = bodyOf(document)
  const inBase = frame.length > 0 ? frame : bodyProblems(base)
  const profiles = isObject(document["profiles"]) ? document["profiles"] : {}
  const inOverlays = Object.entries(profiles).flatMap(([name, overlay]) =>
    isObject(overlay) && (PROFILES as readonly string[]).includes(name)
      ? overlayProblems(name, base, overlay, inBase)
      : [],
  )
  return [...inBase, ...inOverlays]
}

/** Places whose difference changes no number. */
const UNTOLD = /^\/(id|title|description|source|claims|execution|sweep|training\/checkpointEvery)(\/|$)/

/** Decodes the text of a spec file for one profile; throws {@link SpecError} with every problem of every profile. */
export const decodeSpec = (text: string, file: string, profile: Profile): LoadedSpec => {
  const { value: document, locate } = readJson(text, file)
  const problems = problemsOfFile(document)
  if (problems.length > 0) throw new SpecError(file, withPositions(problems, locate))
  const whole = decodeValue(SpecFile, document, file, locate)
  const base = bodyOf(document as Readonly<Record<string, unknown>>)
  const profiles = PROFILES.filter((each) => each === "paper" || whole.profiles[each] !== undefined)
  const overlay = profile === "paper" ? {} : whole.profiles[profile]
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
  const { sweep, ...experiment } = Schema.decodeUnknownSync(Body)(merged)
  const differences = differencesOf(experimentOf(base), experimentOf(merged))
    .filter(({ pointer }) => !UNTOLD.test(pointer))
    .map(({ pointer, before, after }) => ({ pointer, paper: before, profile: after }))
  return {
    file,
    profile,
    profiles,
    experiment,
    differences,
    fingerprint: fingerprint(experiment),
    ...(sweep === undefined ? {} : { sweep }),
    document: experimentOf(merged),
  }
}

/** The experiment of one cell of a sweep. */
export const cellExperiment = (spec: LoadedSpec, cell: SweepCell): Experiment =>
  decodeValue(Experiment, applyCell(spec.document, cell), spec.file)

/** Reads and decodes a spec file. */
export const loadSpec = async (path: string, profile: Profile): Promise<LoadedSpec> =>
  decodeSpec(await readSpecText(path), path, profile)

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
