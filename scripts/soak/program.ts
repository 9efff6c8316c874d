/** The built program as a process, and what it left. */
import { spawn } from "node:child_process"
import { readdir, readFile } from "node:fs/promises"
import { join, relative } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { bytesDigest } from "../../src/files/digest.js"
import { effectiveEvents, readEvents } from "../../src/run/events.js"

export const PROGRAM = fileURLToPath(new URL("../../dist/cli/bin.js", import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
  readonly ms: number
}

export interface Kill {
  readonly signal: NodeJS.Signals
  readonly afterMs: number
}

/** Longer than anything here takes on a busy machine. */
const LIMIT_MS = 300_000

export const repro = async (
  args: readonly string[],
  { kill, env = {} }: { readonly kill?: Kill; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Ended> => {
  const began = performance.now()
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { ...process.env, NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  })
  let output = ""
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (part: Buffer) => (output += part.toString()))
  const stop = new AbortController()
  const { signal } = stop
  if (kill !== undefined)
    void sleep(kill.afterMs, undefined, { signal }).then(
      () => child.kill(kill.signal),
      () => undefined,
    )
  const limit = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS)
  return new Promise((resolve) => {
    child.on("close", (code, by) => {
      stop.abort()
      clearTimeout(limit)
      resolve({ code, signal: by, output, ms: performance.now() - began })
    })
  })
}

/** Digest of every file under a folder that `keep` takes. */
export const digests = async (
  folder: string,
  keep: (path: string) => boolean = () => true,
): Promise<Readonly<Record<string, string>>> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const kept = paths.filter((path) => keep(relative(folder, path))).sort()
  return Object.fromEntries(
    await Promise.all(
      kept.map(async (path) => [relative(folder, path), bytesDigest(await readFile(path))] as const),
    ),
  )
}

export const runsIn = async (runs: string): Promise<readonly string[]> =>
  (await readdir(runs).catch(() => [])).filter((name) => /^\d{8}T/.test(name)).sort()

/** Bytes of a safetensors file without the seconds that its measurement took. */
const untimed = (bytes: Buffer): string => {
  const length = Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.toString("utf8", 8, 8 + length)) as {
    __metadata__?: Record<string, string>
  }
  const { evidence } = header.__metadata__ ?? {}
  const told =
    evidence === undefined ? undefined : { ...(JSON.parse(evidence) as object), seconds: undefined }
  return bytesDigest(
    `${JSON.stringify({ ...header, __metadata__: { ...header.__metadata__, evidence: told } })} ${bytesDigest(bytes.subarray(8 + length))}`,
  )
}

const stepOf = (path: string): number => Number(/^checkpoints\/step-(\d+)\./.exec(path)?.[1] ?? NaN)

/**
 * What must be the same however often a run was stopped: evidence, the last checkpoint, and each step and evaluation
 * once. A stop writes a checkpoint of its own, which may be the one that is kept before the last.
 */
export const essence = async (
  directory: string,
): Promise<{
  readonly files: Readonly<Record<string, string>>
  readonly events: readonly string[]
}> => {
  const files = { ...(await digests(directory, (path) => /^(evidence|checkpoints)\//.test(path))) }
  const steps = Object.keys(files).map(stepOf).filter(Number.isInteger)
  for (const path of Object.keys(files)) if (stepOf(path) < Math.max(...steps)) delete files[path]
  for (const path of Object.keys(files))
    if (path.endsWith(".safetensors")) files[path] = untimed(await readFile(join(directory, path)))
  const events = effectiveEvents(await readEvents(join(directory, "events.ndjson"))).flatMap((event) =>
    event.type === "step"
      ? [`step ${event.step} ${event.loss} ${event.gradNorm}`]
      : event.type === "evaluation"
        ? [`evaluation ${event.id}`]
        : [],
  )
  return { files, events }
}
