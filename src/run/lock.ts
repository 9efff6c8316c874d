/**
 * One writer for one run.
 *
 * The lock is a lease: its holder says every {@link HEARTBEAT_MS} that it lives, by the time of its file. A process id
 * says nothing about a holder in another process-id namespace (a container with the same host name) or on another
 * machine; such a holder is given up when its last heartbeat is {@link STALE_MS} old by the file system's own clock.
 *
 * Every contender puts its own file into the folder `lock/` and then looks at the others: the file names are
 * unique, so removing a dead contender's file can never remove a live one's, and of two simultaneous contenders
 * at least one sees the other and withdraws. A dead holder on this host is recognised by its process id and, on
 * Linux, by boot and process start time, so a reused id is not taken for the old process.
 */
import { randomBytes } from "node:crypto"
import { readFileSync, readlinkSync, rmSync } from "node:fs"
import { mkdir, readFile, readdir, rename, stat, unlink, writeFile } from "node:fs/promises"
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
  /** Random, of this lock alone. */
  readonly owner?: string
  /** The process-id namespace in which `pid` is meant; absent where the kernel does not tell. */
  readonly namespace?: string
  /** Milliseconds between heartbeats; absent for a lock of an earlier version, which is no lease. */
  readonly heartbeat?: number
}

/** How often a holder says that it lives, and after how long a silence its lock is taken over. */
export const HEARTBEAT_MS = 10_000
export const STALE_MS = 120_000

export interface Lock {
  readonly release: () => Promise<void>
  /** The folder moved (a new run gets its final name after it is complete). */
  readonly moved: (directory: string) => void
  /** False once another took it over, because this process was silent (suspended) too long. */
  readonly held: () => Promise<boolean>
  /** Dead holders that were replaced. */
  readonly takenOver: readonly LockHolder[]
}

/** A string that is the same only for the same process since the same boot; undefined off Linux. */
const processIdentity = (pid: number): string | undefined => {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
    const text = readFileSync(`/proc/${pid}/stat`, "utf8")
    // The name in parentheses may hold spaces; start time is field 22, the 20th after it.
    const start = text.slice(text.lastIndexOf(")") + 2).split(" ")[19]
    return start === undefined ? undefined : `${boot}/${start}`
  } catch {
    return undefined
  }
}

/** Names this process-id namespace; undefined off Linux. */
const pidNamespace = (): string | undefined => {
  try {
    return readlinkSync("/proc/self/ns/pid")
  } catch {
    return undefined
  }
}

/** Whether a holder's process id means here what it means there. */
const isNeighbour = ({ host, namespace }: LockHolder): boolean =>
  host === hostname() && (namespace === undefined || namespace === pidNamespace())

/**
 * Whether the holder is gone: its process where that can be asked, else its heartbeat.
 *
 * @param silentMs since its last heartbeat; a holder of another host or namespace is never given up when absent
 */
export const isDead = (holder: LockHolder, silentMs?: number): boolean => {
  if (!isNeighbour(holder))
    return holder.heartbeat !== undefined && silentMs !== undefined && silentMs > STALE_MS
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
  /** Since its last heartbeat. */
  readonly silentMs: number
}

/** The time as the file system of a folder has it: machines that share it may disagree among themselves. */
const fileSystemNow = async (folder: string): Promise<number> => {
  const probe = join(folder, `.now-${randomBytes(6).toString("hex")}`)
  try {
    await writeFile(probe, "")
    return (await stat(probe)).mtimeMs
  } catch {
    return Date.now() // the folder can only be read
  } finally {
    await unlink(probe).catch(() => undefined)
  }
}

const isGone = ({ holder, silentMs }: Entry): boolean => holder !== undefined && isDead(holder, silentMs)

const readEntries = async (folder: string): Promise<readonly Entry[]> => {
  const names = await readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return [] as string[]
    throw error
  })
  const entries: Entry[] = []
  let now: number | undefined
  for (const name of names) {
    if (!name.endsWith(".json")) continue
    try {
      const holder = parseHolder(await readFile(join(folder, name), "utf8"))
      const beaten = (await stat(join(folder, name))).mtimeMs
      if (holder !== undefined && !isNeighbour(holder)) now ??= await fileSystemNow(folder)
      entries.push({ name, holder, silentMs: now === undefined ? 0 : now - beaten })
    } catch (error) {
      if (systemCode(error) !== "ENOENT") throw error // released meanwhile
    }
  }
  return entries
}

/** The live holder of a run folder, if there is one. */
export const lockHolder = async (directory: string): Promise<LockHolder | undefined> => {
  const entries = await readEntries(join(directory, "lock"))
  return entries.find((entry) => entry.holder !== undefined && !isGone(entry))?.holder
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
    isNeighbour(holder)
      ? `${who} is writing this run; wait until it ends or stop it, then try again.`
      : holder.heartbeat === undefined
        ? `${who} is writing this run; if that machine no longer does, delete ${file} and try again.`
        : `${who}, ${holder.host === hostname() ? "in another container" : "another machine"}, is writing this run; wait until it ends. If it was killed, its lock is taken over ${STALE_MS / 1000} s after its last sign of life, or delete ${file}.`,
  )
}

/**
 * Become the only writer of `directory`.
 * @throws RunError `locked` when another process holds it.
 */
export const acquireLock = async (directory: string, now: () => Date): Promise<Lock> => {
  let folder = join(directory, "lock")
  const identity = processIdentity(process.pid)
  const namespace = pidNamespace()
  const owner = randomBytes(16).toString("hex")
  const holder: LockHolder = {
    pid: process.pid,
    host: hostname(),
    since: now().toISOString(),
    ...(identity === undefined ? {} : { process: identity }),
    owner,
    ...(namespace === undefined ? {} : { namespace }),
    heartbeat: HEARTBEAT_MS,
  }
  const name = `${process.pid}-${owner}.json`
  try {
    await mkdir(folder, { recursive: true })
    for (let attempt = 0; ; attempt++) {
      const temporary = join(folder, `${name}.tmp`)
      await writeFile(temporary, JSON.stringify(holder))
      await rename(temporary, join(folder, name))
      const others = (await readEntries(folder)).filter((entry) => entry.name !== name)
      const live = others.find((entry) => !isGone(entry))
      if (live === undefined) {
        for (const dead of others) await unlink(join(folder, dead.name)).catch(() => undefined)
        const dropped = (): void => rmSync(join(folder, name), { force: true })
        process.once("exit", dropped)
        // The file's time is set by the file system that keeps it: written again, not touched with this machine's clock.
        const beat = setInterval(() => {
          writeFile(join(folder, name), JSON.stringify(holder), { flag: "r+" }).catch(() => undefined)
        }, HEARTBEAT_MS)
        beat.unref()
        return {
          takenOver: others.flatMap((entry) => (entry.holder === undefined ? [] : [entry.holder])),
          moved: (to) => {
            folder = join(to, "lock")
          },
          held: async () => (await stat(join(folder, name)).catch(() => undefined)) !== undefined,
          release: async () => {
            clearInterval(beat)
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
