/** `repro submit`: the batch script of a cluster job. */
import { readFile, rename, writeFile } from "node:fs/promises"
import { basename, resolve } from "node:path"
import { execa } from "execa"
import * as Option from "effect/Option"
import { slurmScript } from "../engine/torch/slurm.js"
import type { Profile } from "../spec/spec-file.js"
import { packageFile } from "../files/package-files.js"
import { locateSpec } from "./locate.js"
import { openSpec } from "./open-spec.js"
import { UsageError, type Outcome } from "./outcome.js"

export interface SubmitInput {
  readonly spec: string
  readonly profile: Profile
  readonly set?: readonly string[]
  readonly slurm: boolean
  readonly nodes: number
  readonly gpus: number
  readonly cpus: number
  readonly time: string
  readonly partition: Option.Option<string>
  readonly account: Option.Option<string>
  readonly precision: Option.Option<"fp32" | "bf16" | "bf16-params">
  readonly output: Option.Option<string>
  readonly runs: string
  readonly send: boolean
}

const check = (input: SubmitInput): void => {
  if (!input.slurm) throw new UsageError("say for which queue the script is: repro submit SPEC --slurm")
  for (const name of ["nodes", "gpus", "cpus"] as const)
    if (input[name] < 1) throw new UsageError(`--${name} ${input[name]}: at least 1`)
  if (!/^(\d+-)?\d{1,2}:\d{2}:\d{2}$/.test(input.time))
    throw new UsageError(`--time ${input.time}: give hours, minutes and seconds, such as 24:00:00`)
  for (const name of ["partition", "account"] as const) {
    const value = Option.getOrUndefined(input[name])
    if (value !== undefined && !/^[\w.,-]+$/.test(value))
      throw new UsageError(`--${name} ${value}: letters, digits, '.', ',', '_' and '-' only`)
  }
}

/** Writes a new file; one that is there and says something else is left alone. */
const writeNew = async (path: string, text: string): Promise<void> => {
  const before = await readFile(path, "utf8").catch(() => undefined)
  if (before === text) return
  if (before !== undefined)
    throw new UsageError(`${path} is there and differs; give another name with --output, or move it away`)
  const temporary = `${path}.${process.pid}.tmp`
  await writeFile(temporary, text, { mode: 0o755, flush: true })
  await rename(temporary, path)
}

const sbatch = async (path: string): Promise<string> => {
  const result = await execa("sbatch", [path], { reject: false })
  if (!result.failed) return result.stdout.trim()
  const why = result.code === "ENOENT" ? "this machine has no sbatch" : result.stderr.trim()
  throw new Error(
    `${path} is written but was not submitted: ${why}; submit it on a login node: sbatch ${path}`,
  )
}

/** Writes the script and submits it where asked to. @throws UsageError before anything is written */
export const submit = async (input: SubmitInput): Promise<Outcome> => {
  check(input)
  const file = await locateSpec(input.spec)
  const { experiment } = await openSpec(file, input.profile, input.set)
  const { accumulation, microBatch } = experiment.training
  const world = input.nodes * input.gpus
  if (accumulation % world !== 0)
    throw new UsageError(
      `${file}: /training/accumulation is ${accumulation}, and its micro-batches cannot be dealt out evenly to ${world} GPUs; ask for a number of GPUs that divides it, or split the same ${accumulation * microBatch} rows into more micro-batches (a smaller /training/microBatch)`,
    )
  const name = `repro-${experiment.id}`
  const script = slurmScript({
    program: ["node", packageFile("dist", "cli", "bin.js")],
    spec: file,
    profile: input.profile,
    settings: input.set ?? [],
    name,
    nodes: input.nodes,
    gpusPerNode: input.gpus,
    cpusPerNode: input.cpus,
    time: input.time,
    partition: Option.getOrUndefined(input.partition),
    account: Option.getOrUndefined(input.account),
    precision: Option.getOrUndefined(input.precision),
    directory: process.cwd(),
    runs: resolve(input.runs),
  })
  const path = Option.getOrElse(input.output, () => `${basename(file, ".json")}.sbatch`)
  await writeNew(path, script)
  const submitted = input.send ? await sbatch(path) : undefined
  return {
    text: submitted ?? `Wrote ${path}. Submit it with: sbatch ${path}`,
    json: { script: path, nodes: input.nodes, gpus: world, submitted: submitted ?? null },
    notes: [`Log: ${name}-JOB.log. Table, once finished: repro table latest --runs ${input.runs}/slurm-JOB.`],
  }
}
