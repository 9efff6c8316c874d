/**
 * Spec files: the published configuration (profile `paper`) and overlays for smaller machines.
 *
 * An overlay is a JSON merge patch (RFC 7396) on the experiment. It is applied before decoding, and every profile
 * of a file is checked whenever the file is read, so that a mistake never waits for the day the profile is used.
 */
import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import * as Schema from "effect/Schema"
import { decodeValue, readJson, withPositions } from "./decode.js"
import { experimentSchema, type Experiment } from "./experiment.js"
import { objectivePart } from "../families/index.js"
import { fingerprint } from "./fingerprint.js"
import { judgeIn } from "./judge.js"
import { composePatches, differencesOf, mergePatch } from "./merge-patch.js"
import { child } from "./pointer.js"
import { SpecError } from "./spec-error.js"
import { pinParents } from "./stages.js"
import { findNamedSpec, resolveSpec } from "./variation.js"
import { applyCell, Sweep, type SweepCell } from "./sweep.js"
import { PROFILES, type Profile, bodySchema, schemaOf } from "./spec-file-schema.js"
import { bodyOf, experimentOf, problemsOfFile } from "./spec-file-problems.js"

export { PROFILES, type Profile, SpecFile } from "./spec-file-schema.js"

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
