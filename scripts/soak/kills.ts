/** Programs stopped at random moments and gone on with, until what they left can be compared with one never stopped. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { writeFileAtomic } from "../../src/files/atomic.js"
import { smallSpec } from "../../test/cli/small.js"
import type { Chance } from "./chance.js"
import type { Figures, Part } from "./figures.js"
import { digests, essence, repro, runsIn, type Ended, type Kill } from "./program.js"

/** Kills of one case before it is left to end; a case that is killed for ever compares nothing. */
const MOST_KILLS = 12
const SIGNALS: readonly NodeJS.Signals[] = ["SIGKILL", "SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"]

/** One command: how it is begun or gone on with in a folder, and what it leaves there when it is done. */
interface Job {
  readonly name: string
  /** What it is told now. */
  readonly next: (folder: string) => Promise<readonly string[]>
  readonly env?: (folder: string) => Readonly<Record<string, string>>
  /** Text that is the same whether or not it was stopped. */
  readonly left: (folder: string) => Promise<string>
}

const essences = async (runs: string): Promise<string> => {
  const all: string[] = []
  for (const run of await runsIn(runs)) all.push(JSON.stringify(await essence(join(runs, run))))
  return all.sort().join("\n")
}

/** The jobs, all of one small spec that is made in `root`. */
const jobsOf = async (root: string): Promise<readonly Job[]> => {
  const { spec } = await smallSpec(20)
  const swept = await smallSpec(15, {
    sweep: {
      grid: [{ name: "heads", pointer: "/model/heads", values: [1, 2] }],
      seeds: [0],
      streams: "paired",
    },
  })
  const text = join(root, "text.txt")
  await writeFile(
    text,
    Array.from({ length: 6000 }, (_, i) => `Line ${i} of a text, ${(i * 7919) % 9973}.\n\n`).join(""),
  )
  const data = (JSON.parse(await readFile(spec, "utf8")) as { data: object }).data
  const corpus = {
    kind: "text",
    train: [`file:${text}`],
    validation: { holdOutEvery: 5 },
    document: "paragraph",
    trainShards: 3,
  }
  const texts = await smallSpec(20, { data: null })
  const whole = JSON.parse(await readFile(texts.spec, "utf8")) as object
  await writeFile(texts.spec, JSON.stringify({ ...whole, data: { ...data, corpus } }))
  const trained = join(root, "trained")
  const ended = await repro(["run", spec, "--runs", trained])
  const [run] = await runsIn(trained)
  if (run === undefined) throw new Error(`no run was made: ${ended.output}`)
  const checkpoint = Object.keys(await digests(join(trained, run, "checkpoints"))).at(-1)!
  const weights = join(root, "weights.safetensors")
  await writeFileAtomic(weights, await readFile(join(trained, run, "checkpoints", checkpoint)))
  return [
    {
      name: "run",
      next: async (folder) => {
        const runs = join(folder, "runs")
        const there = (await runsIn(runs)).length > 0
        return ["run", spec, "--runs", runs, ...(there ? ["--resume", "latest"] : [])]
      },
      left: (folder) => essences(join(folder, "runs")),
    },
    {
      name: "sweep",
      next: async (folder) => ["sweep", swept.spec, "--runs", join(folder, "runs")],
      left: (folder) => essences(join(folder, "runs")),
    },
    {
      name: "prepare",
      next: async () => ["prepare", texts.spec],
      env: (folder) => ({ REPRO_CACHE: join(folder, "cache") }),
      left: async (folder) =>
        JSON.stringify(
          await digests(join(folder, "cache"), (path) => !path.includes(".work-") && !path.includes(".lock")),
        ),
    },
    {
      name: "sample",
      next: async (folder) => [
        "sample",
        join(trained, run),
        "--count",
        "4",
        "--out",
        join(folder, "texts.json"),
      ],
      left: async (folder) => {
        const lines = (await readFile(join(folder, "texts.json"), "utf8")).split("\n")
        return lines.filter((line) => line.includes(`"type":"text"`)).join("\n")
      },
    },
    {
      name: "eval",
      next: async (folder) => [
        "eval",
        "--checkpoint",
        weights,
        "--spec",
        spec,
        "--runs",
        join(folder, "runs"),
      ],
      left: (folder) => essences(join(folder, "runs")),
    },
  ]
}

interface Reference {
  readonly job: Job
  readonly left: string
  readonly ms: number
}

/** A kill of the small run costs least: every other case is one. */
const turnsOf = <A extends { readonly job: Job }>(references: readonly A[]): readonly A[] => {
  const [first, ...others] = references
  return first === undefined || others.length === 0 ? references : others.flatMap((other) => [first, other])
}

/** It ended by itself: 3 is a stop that was asked for, above 128 one before the program had begun. */
const finished = ({ signal, code }: Ended): boolean => signal === null && code !== 3 && code! < 128

/** @param only one of the jobs */
export const killing = async (
  root: string,
  chance: Chance,
  figures: Figures,
  only?: string,
): Promise<Part> => {
  const references: Reference[] = []
  for (const job of await jobsOf(root)) {
    if (only !== undefined && job.name !== only) continue
    const folder = await mkdtemp(join(root, `reference-${job.name}-`))
    const ended = await repro(await job.next(folder), { env: job.env?.(folder) ?? {} })
    if (ended.code !== 0) throw new Error(`${job.name} does not end well by itself: ${ended.output}`)
    references.push({ job, left: await job.left(folder), ms: ended.ms })
  }
  const turns = turnsOf(references)
  let turn = 0
  return {
    name: "kills",
    step: async () => {
      const { job, left, ms } = turns[turn++ % turns.length]!
      const folder = await mkdtemp(join(root, `killed-${job.name}-`))
      await mkdir(folder, { recursive: true })
      let ended: Ended | undefined
      for (let kills = 0; ;) {
        const kill: Kill = { signal: chance.pick(SIGNALS), afterMs: chance.next() * ms * 1.1 }
        const args = await job.next(folder)
        ended = await repro(args, { env: job.env?.(folder) ?? {}, ...(kills < MOST_KILLS ? { kill } : {}) })
        if (finished(ended)) break
        kills++
        figures.add(`kills of ${job.name}`)
        figures.add("kills")
        if (kill.signal === "SIGKILL") figures.add("of them SIGKILL")
        if (kills > MOST_KILLS + 2) break
      }
      figures.add(`stopped ${job.name} compared`)
      const found =
        ended.code === 0 ? await job.left(folder).catch((error: unknown) => String(error)) : ended.output
      if (found === left) {
        figures.add("identical")
        figures.add("steps and evaluations compared", left.match(/"(?:step \d|evaluation )/g)?.length ?? 0)
        await rm(folder, { recursive: true, force: true })
      } else {
        figures.add("different")
        figures.fail(
          `${job.name} in ${folder} ended otherwise than one never stopped (exit ${ended.code}): ${found.slice(0, 400)}`,
        )
      }
    },
  }
}
