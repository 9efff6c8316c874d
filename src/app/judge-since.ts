/** Whether a judge of texts is today what it was when it judged, as far as the files say without training. */
import { readdir } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import type { JudgeAccount } from "../evaluators/evidence.js"
import { DataError } from "../files/errors.js"
import { RunError } from "../run/errors.js"
import { loadSpec, type LoadedSpec } from "../spec/spec-file.js"
import { SpecError } from "../spec/spec-error.js"
import { findNamedSpec } from "../spec/variation.js"
import { finishedRun } from "./based-weights.js"
import { endOfRun, findBeginning } from "./beginning.js"
import { judgeDigest } from "./judge.js"
import { isFile } from "./locate.js"

/** What `read` finds; undefined where files are gone or cannot be read, which says nothing about a judge. */
const known = async <A>(read: () => Promise<A>): Promise<A | undefined> => {
  try {
    return await read()
  } catch (error) {
    if (error instanceof SpecError || error instanceof DataError || error instanceof RunError)
      return undefined
    throw error
  }
}

/**
 * Folders of spec files of this name: a manifest says no folder, so that it may lie below the one that the runs are in,
 * or be that one.
 */
const foldersOf = async (file: string, runs: string): Promise<readonly string[]> => {
  const here = dirname(runs)
  const below = (await readdir(here, { withFileTypes: true }).catch(() => []))
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
    .map(({ name }) => join(here, name))
  const found = await Promise.all(
    below.map(async (folder) => ((await isFile(join(folder, file))) ? [folder] : [])),
  )
  return [here, ...found.flat()]
}

/**
 * The judge's spec beside the runs, beside a spec file of the run's name, in `specs`, or among those that come with
 * repro: the one that judged, if it is still there, else the first of its name.
 */
const specOf = async (
  { spec, profile, fingerprint }: JudgeAccount,
  file: string,
  runs: string,
): Promise<LoadedSpec | undefined> => {
  const found: LoadedSpec[] = []
  for (const folder of await foldersOf(file, runs)) {
    const each = await known(async () => loadSpec(await findNamedSpec(spec, join(folder, file), ""), profile))
    if (each?.fingerprint === fingerprint) return each
    if (each !== undefined) found.push(each)
  }
  return found[0]
}

/** The weights with which it would judge now, and where they are. */
const weightsNow = async (
  spec: LoadedSpec,
  runs: string,
): Promise<{ readonly digest: string; readonly where: string } | undefined> => {
  if (spec.experiment.training.stepsPerGroup === 0) {
    const found = await findBeginning(spec.experiment, undefined)
    return (
      found && { digest: judgeDigest(found), where: found.began.files.map(({ file }) => file).join(", ") }
    )
  }
  const run = await finishedRun(spec, runs)
  return run && { digest: judgeDigest(await endOfRun(run)), where: `the run ${run.manifest.id}` }
}

/**
 * How it is another; undefined where it is the same, or where nothing is known of it.
 *
 * @param file name of the spec file of the run that was judged
 * @param runs the folder of runs
 */
export const sentenceOf = async (
  id: string,
  judge: JudgeAccount,
  file: string,
  runs: string,
): Promise<string | undefined> => {
  const { spec: name, profile, fingerprint, digest } = judge
  const spec = await specOf(judge, file, runs)
  const cure =
    "A run made now is judged by what is there now; compare generative perplexities of one judge alone."
  if (spec === undefined) return undefined
  if (spec.fingerprint !== fingerprint)
    return `${id}: its judge ${name}, profile ${profile}, is another experiment since: ${fingerprint} then, ${spec.fingerprint} in ${basename(dirname(spec.file))}/${basename(spec.file)} now. ${cure}`
  const now = await known(() => weightsNow(spec, runs))
  if (now === undefined || now.digest === digest) return undefined
  return `${id}: its judge ${name}, profile ${profile}, has other weights since: sha256 ${digest.slice(0, 12)} then, ${now.digest.slice(0, 12)} in ${now.where} now. ${cure}`
}
