import { totalmem, availableParallelism } from "node:os"
import { checkCorpus } from "../../data/corpus.js"
import { cacheDirectory } from "../../data/sources.js"
import { chooseEngine, findAvailable, needsSearch, NOTHING } from "../../engine/choose.js"
import { makePlan } from "../../plan/plan.js"
import { loadSpec, type LoadedSpec, type Profile } from "../../spec/spec-file.js"
import { trainingSeconds } from "../choose-executor.js"
import { locateSpec } from "../locate.js"
import type { Outcome } from "../outcome.js"
import { columns } from "../text.js"

interface Part {
  readonly name: "data" | "executor" | "memory"
  readonly ready: boolean
  readonly found: string
  readonly cure?: string
}

/** At most this many missing files are named; a data set may lack a hundred. */
const NAMED = 3

/** Whether a run of this profile could start now without fetching anything. */
export const check = async (given: string, profile: Profile): Promise<Outcome> => {
  const file = await locateSpec(given)
  const spec = await loadSpec(file, profile)
  const data = await dataPart(spec.experiment.data, `repro prepare ${given} --profile ${profile}`)
  const parts: readonly Part[] = [data, await executorPart(spec), memoryPart(spec)]
  const missing = parts.filter(({ ready }) => !ready)
  const rows = parts.map(({ name, ready, found }) => [name, ready ? "ok" : "missing", found])
  const cures = missing.flatMap(({ name, cure }) => (cure === undefined ? [] : [[name, cure]]))
  return {
    text: [
      columns(rows),
      ...(cures.length === 0 ? [] : ["", "To add what is missing:", columns(cures, "  ")]),
    ].join("\n"),
    json: { file, profile, ready: missing.length === 0, parts },
    exitCode: missing.length === 0 ? 0 : 3,
  }
}

const dataPart = async (data: Parameters<typeof checkCorpus>[0], cure: string): Promise<Part> => {
  const cacheDir = cacheDirectory()
  const { ready, missing } = await checkCorpus(data, { cacheDir })
  if (ready) return { name: "data", ready, found: `in ${cacheDir}` }
  const named = missing.slice(0, NAMED).map(({ problem }) => problem)
  const more = missing.length > NAMED ? [`and ${missing.length - NAMED} more`] : []
  return { name: "data", ready, found: [...named, ...more].join(" "), cure }
}

const executorPart = async (spec: LoadedSpec): Promise<Part> => {
  try {
    const request = spec.experiment.execution ?? {}
    const seconds = trainingSeconds(spec)
    const there = needsSearch(request, seconds) ? await findAvailable() : NOTHING
    const { engine, options, reason } = chooseEngine(request, there, seconds)
    return {
      name: "executor",
      ready: true,
      found: `${engine}, ${options.precision} on ${options.device}: ${reason}`,
    }
  } catch (error) {
    return { name: "executor", ready: false, found: error instanceof Error ? error.message : String(error) }
  }
}

const memoryPart = (spec: Parameters<typeof makePlan>[0]): Part => {
  const { warnings, memory } = makePlan(spec, { cores: availableParallelism(), memory: totalmem() })
  const needed = `about ${(memory.total / 2 ** 30).toFixed(1)} GiB needed, ${(totalmem() / 2 ** 30).toFixed(1)} GiB there`
  return { name: "memory", ready: warnings.length === 0, found: warnings[0] ?? needed }
}
