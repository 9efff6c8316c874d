/**
 * One writer for one run.
 *
 * Every contender puts its own file into the folder `lock/` and then looks at the others: the file names are
 * unique, so removing a dead contender's file can never remove a live one's, and of two simultaneous contenders
 * at least one sees the other and withdraws. A dead holder on this host is recognised by its process id and, on
 * Linux, by boot and process start time, so a reused id is not taken for the old process.
 */
import { randomBytes } from "node:crypto"
import { readFileSync, rmSync } from "node:fs"
import { mkdir, readFile, readdir, rename, unlink, writeFile } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { systemCode } from "../files/errors.js"
import { RunError, runErrorFrom } from "./errors.js"

/** Who holds a run. */
export interface LockHolder {
  readonly pid: number
  readonly host: string
  /** ISO time at which the lock was taken. */
  readonly since: string
  /** Boot and process start as the kernel tells them; absent where it does not. */
  readonly process?: string
}

export interface Lock {
  readonly release: () => Promise<void>
  /** The folder moved (a new run gets its final name after it is complete). */
  readonly moved: (directory: string) => void
  /** Dead holders that were replaced. */
  readonly takenOver: readonly LockHolder[]
}

/** A string that is the same only for the same process since the same boot; undefined off Linux. */
const processIdentity = (pid: number): string | undefined => {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The name in parentheses may hold spaces; start time is field 22, the 20th after it.
    const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]
    return start === undefined ? undefined : `${boot}/${start}`
  } catch {
    return undefined
  }
}

/** Whether the holder is certainly gone. A holder on another host is never certain. */
export const isDead = (holder: LockHolder): boolean => {
  if (holder.host !== hostname()) return false
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    if (systemCode(error) === "ESRCH") return true
  }
  const identity = processIdentity(holder.pid)
  return identity !== undefined && holder.process !== undefined && identity !== holder.process
}

const parseHolder = (text: string): LockHolder | undefined => {
  try {
    const value = JSON.parse(text) as Partial<LockHolder>
    return typeof value.pid === "number" && typeof value.host === "string" && typeof value.since === "string"
      ? (value as LockHolder)
      : undefined
  } catch {
    return undefined
  }
}

interface Entry {
  readonly name: string
  readonly holder: LockHolder | undefined
}

const readEntries = async (folder: string): Promise<readonly Entry[]> => {
  const names = await readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return [] as string[]
    throw error
  })
  const entries: Entry[] = []
  for (const name of names) {
    if (!name.endsWith(".json")) continue
    try {
      entries.push({ name, holder: parseHolder(await readFile(join(folder, name), "utf8")) })
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error // released meanwhile
    }
  }
  return entries
}

/** The live holder of a run folder, if there is one. */
export const lockHolder = async (directory: string): Promise<LockHolder | undefined> => {
  const entries = await readEntries(join(directory, "lock"))
  return entries.find((entry) => entry.holder !== undefined && !isDead(entry.holder))?.holder
}

const refusal = (directory: string, { name, holder }: Entry): RunError => {
  const file = join(directory, "lock", name)
  if (holder === undefined) {
    return new RunError(
      "locked",
      directory,
      `the lock ${file} cannot be read; delete it if nothing is running.`,
    )
  }
  const who = `process ${holder.pid} on ${holder.host} (since ${holder.since})`
  return new RunError(
    "locked",
    directory,
    holder.host === hostname()
      ? `${who} is writing this run; wait until it ends or stop it, then try again.`
      : `${who} is writing this run; if that machine no longer does, delete ${file} and try again.`,
  )
}

/**
 * Become the only writer of `directory`.
 * @throws RunError `locked` when another process holds it.
 */
export const acquireLock = async (directory: string, now: () => Date): Promise<Lock> => {
  let folder = join(directory, "lock")
  const identity = processIdentity(process.pid)
  const holder: LockHolder = {
    pid: process.pid,
    host: hostname(),
    since: now().toISOString(),
    ...(identity === undefined ? {} : { process: identity }),
  }
  const name = `${process.pid}-${randomBytes(6).toString("hex")}.json`
  try {
    await mkdir(folder, { recursive: true })
    for (let attempt = 0; ; attempt++) {
      const temporary = join(folder, `${name}.tmp`)
      await writeFile(temporary, JSON.stringify(holder))
      await rename(temporary, join(folder, name))
      const others = (await readEntries(folder)).filter((entry) => entry.name !== name)
      const live = others.find((entry) => entry.holder === undefined || !isDead(entry.holder))
      if (live === undefined) {
        for (const dead of others) await unlink(join(folder, dead.name)).catch(() => undefined)
        const dropped = (): void => rmSync(join(folder, name), { force: true })
        process.once("exit", dropped)
        return {
          takenOver: others.flatMap((entry) => (entry.holder === undefined ? [] : [entry.holder])),
          moved: (to) => {
            folder = join(to, "lock")
          },
          release: async () => {
            process.off("exit", dropped)
            await unlink(join(folder, name)).catch(() => undefined)
          },
        }
      }
      await unlink(join(folder, name))
      if (attempt === 2) throw refusal(directory, live)
      await sleep(20 + Math.random() * 80)
    }
  } catch (error) {
    throw runErrorFrom(error, directory, "taking its lock")
  }
}
