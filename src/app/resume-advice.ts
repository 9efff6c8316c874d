/** How to go on with a run that has no results yet, as a command that works. */
import { basename, dirname, resolve } from "node:path"
import type { RunReader } from "../run/directory.js"
import { isRunOf } from "../run/identity.js"
import { lockHolder } from "../run/lock.js"
import type { RunManifest } from "../run/manifest.js"
import { cellSpecs } from "../spec/cell-spec.js"
import { withSettings } from "../spec/settings.js"
import { SpecError } from "../spec/spec-error.js"
import { loadSpec, type Profile } from "../spec/spec-file.js"
import { locateSpec, shortPath, specFiles } from "./locate.js"

/** A word as a shell reads it. */
export const quoted = (word: string): string =>
  /^[\w./:=,+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`

/** What a command needs to find the runs of a folder that is not the usual one. */
export const runsFlag = (runs: string): string =>
  resolve(runs) === resolve("runs") ? "" : ` --runs ${quoted(shortPath(resolve(runs)))}`

export const setFlags = (settings: readonly string[] = []): string =>
  settings.map((each) => ` --set ${quoted(each)}`).join("")

export const resumeCommand = (
  spec: string,
  profile: string,
  id: string,
  runs: string,
  settings?: readonly string[],
): string => `repro run ${spec} --profile ${profile}${setFlags(settings)} --resume ${id}${runsFlag(runs)}`

/** The shortest that `locateSpec` finds the file by. */
const nameOf = async (file: string): Promise<string> => {
  const name = basename(file, ".json")
  const found = await locateSpec(name).catch(() => undefined)
  return found !== undefined && resolve(found) === resolve(file) ? name : file
}

/** The command that goes on with this experiment if the file holds it, as its own or as a cell of its sweep. */
const commandFor = async (file: string, manifest: RunManifest, runs: string): Promise<string | undefined> => {
  const { id, profile } = manifest
  try {
    const whole = withSettings(await loadSpec(file, profile as Profile), manifest.settings ?? [])
    const set = manifest.settings
    if (isRunOf(manifest, whole)) return resumeCommand(await nameOf(file), profile, id, runs, set)
    const cell = cellSpecs(whole).find(({ spec }) => isRunOf(manifest, spec))
    return cell === undefined
      ? undefined
      : `repro sweep ${await nameOf(file)} --profile ${profile}${setFlags(set)} --only ${cell.cell.name}${runsFlag(runs)}`
  } catch (error) {
    if (error instanceof SpecError) return undefined // not this one
    throw error
  }
}

/** What to do about a run without results: wait while it is in progress, else the command that finishes it. */
export const adviceFor = async ({ directory, manifest }: RunReader): Promise<string> => {
  const holder = await lockHolder(directory)
  if (holder !== undefined)
    return `it is in progress (process ${holder.pid} on ${holder.host}, since ${holder.since}); wait until it has ended`
  if (manifest.differences.some(({ pointer }) => pointer === "/training/weights"))
    return `it was to measure a checkpoint; measure that again with "repro eval"`
  const runs = dirname(directory)
  const { file } = manifest.provenance.spec
  const beside = await locateSpec(file).catch(() => undefined)
  for (const each of new Set([...(beside === undefined ? [] : [beside]), ...(await specFiles())])) {
    const command = await commandFor(each, manifest, runs)
    if (command !== undefined) return `finish it with "${command}"`
  }
  return `finish it with "${resumeCommand("SPEC", manifest.profile, manifest.id, runs, manifest.settings)}", where SPEC is the file ${file} that it was begun with`
}
