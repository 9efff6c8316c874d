/** Where a run's numbers were made. Nothing private: no user name, no host name, no path outside the repository. */
import { execFile } from "node:child_process"
import { readFile } from "node:fs/promises"
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os"
import { basename, dirname } from "node:path"
import { promisify } from "node:util"
import { packageFile } from "../files/package-files.js"

/** The executor that ran the programs. */
export interface ExecutorProvenance {
  readonly name: string
  /** Library and version, as the executor states it. */
  readonly version: string
  readonly precision: string
  readonly device: string
  /** 0: the executor's own choice */
  readonly threads: number
}

export interface Provenance {
  /** Version of this program. */
  readonly repro: string
  readonly spec: {
    /** File name without its folder. */
    readonly file: string
    /** Commit of the repository the spec lies in; null outside one. */
    readonly commit: string | null
    /** Whether the spec file differs from that commit; null outside a repository. */
    readonly modified: boolean | null
  }
  readonly node: string
  readonly os: { readonly platform: string; readonly release: string; readonly arch: string }
  readonly cpu: { readonly model: string; readonly cores: number }
  readonly memoryBytes: number
  readonly executor: ExecutorProvenance
  /** ISO time at which this was collected. */
  readonly collected: string
}

const run = promisify(execFile)

const git = async (folder: string, ...args: readonly string[]): Promise<string | undefined> => {
  try {
    const { stdout } = await run("git", ["-C", folder, ...args], { timeout: 5000 })
    return stdout.trim()
  } catch {
    return undefined // no git, or not a repository
  }
}

let version: Promise<string> | undefined

/** Version in this package's own package.json. */
export const reproVersion = (): Promise<string> =>
  (version ??= readFile(packageFile("package.json"), "utf8").then(
    (text) => (JSON.parse(text) as { version: string }).version,
  ))

/** Collect the provenance of a run of the spec at `specPath` on this machine. */
export const collectProvenance = async (
  specPath: string,
  executor: ExecutorProvenance,
  now: () => Date = () => new Date(),
): Promise<Provenance> => {
  const folder = dirname(specPath)
  const file = basename(specPath)
  const [repro, commit, status] = await Promise.all([
    reproVersion(),
    git(folder, "rev-parse", "HEAD"),
    git(folder, "status", "--porcelain", "--", file),
  ])
  return {
    repro,
    spec: {
      file,
      commit: commit ?? null,
      modified: commit === undefined || status === undefined ? null : status !== "",
    },
    node: process.version,
    os: { platform: platform(), release: release(), arch: arch() },
    cpu: { model: cpus()[0]?.model.trim() ?? "unknown", cores: availableParallelism() },
    memoryBytes: totalmem(),
    executor,
    collected: now().toISOString(),
  }
}
