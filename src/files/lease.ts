/**
 * One holder at a time of a folder, among processes and machines that share it.
 *
 * A lease: its holder says every {@link HEARTBEAT_MS} that it lives, by the time of its file. A process id says nothing
 * about a holder in another process-id namespace (a container with the same host name) or on another machine; such a
 * holder is given up when its last heartbeat is {@link STALE_MS} old by the file system's own clock.
 *
 * Every contender puts its own file into the folder and then looks at the others: the file names are unique, so
 * removing a dead contender's file can never remove a live one's, and of two simultaneous contenders at least one sees
 * the other and withdraws. A dead holder on this host is recognised by its process id and, on Linux, by boot and
 * process start time, so a reused id is not taken for the old process.
 */
import { randomBytes } from "node:crypto"
import { readFileSync, readlinkSync, rmdirSync, rmSync } from "node:fs"
import { readFile, readdir, rename, rmdir, stat, unlink, writeFile } from "node:fs/promises"
import { hostname } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { systemCode } from "./errors.js"
import { makeFolder } from "./folder.js"

/** Who holds a lease. */
export interface LeaseHolder {
  readonly pid: number
  readonly host: string
  /** ISO time at which it was taken. */
  readonly since: string
  /** Boot and process start as the kernel tells them; absent where it does not. */
  readonly process?: string
  /** Random, of this lease alone. */
  readonly owner?: string
  /** The process-id namespace in which `pid` is meant; absent where the kernel does not tell. */
  readonly namespace?: string
  /** Milliseconds between heartbeats; absent for one of an earlier version, which is no lease. */
  readonly heartbeat?: number
}

/** How often a holder says that it lives, and after how long a silence its lease is taken over. */
export const HEARTBEAT_MS = 10_000
export const STALE_MS = 120_000

export interface Lease {
  /** Gives it back; its folder goes with it where nobody else is in it. */
  readonly release: () => Promise<void>
  /** The folder moved (a new run gets its final name after it is complete). */
  readonly moved: (folder: string) => void
  /** False once another took it over, because this process was silent (suspended) too long. */
  readonly held: () => Promise<boolean>
  /** Dead holders that were replaced. */
  readonly takenOver: readonly LeaseHolder[]
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
export const isNeighbour = ({ host, namespace }: LeaseHolder): boolean =>
  host === hostname() && (namespace === undefined || namespace === pidNamespace())

/**
 * Whether the holder is gone: its process where that can be asked, else its heartbeat.
 *
 * @param silentMs since its last heartbeat; a holder of another host or namespace is never given up when absent
 */
export const isDead = (holder: LeaseHolder, silentMs?: number): boolean => {
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

const parseHolder = (text: string): LeaseHolder | undefined => {
  try {
    const value = JSON.parse(text) as Partial<LeaseHolder>
    return typeof value.pid === "number" && typeof value.host === "string" && typeof value.since === "string"
      ? (value as LeaseHolder)
      : undefined
  } catch {
    return undefined
  }
}

export interface LeaseEntry {
  readonly name: string
  readonly holder: LeaseHolder | undefined
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

/** Its holder is dead; one whose file cannot be read counts as alive. */
export const isGone = ({ holder, silentMs }: LeaseEntry): boolean =>
  holder !== undefined && isDead(holder, silentMs)

/** Who holds a folder or contends for it; nobody where there is none. */
export const leaseEntries = async (folder: string): Promise<readonly LeaseEntry[]> => {
  const names = await readdir(folder).catch((error: unknown) => {
    if (systemCode(error) === "ENOENT") return [] as string[]
    throw error
  })
  const entries: LeaseEntry[] = []
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

/** What is asked of the folder of a lease. */
export interface LeaseOptions {
  readonly now?: () => Date
  /** The folder is for this alone, and goes when the lease is given back. */
  readonly passing?: boolean
}

/** The file of this contender, in a folder that another may be removing at this moment. */
const enter = async (folder: string, name: string, holder: LeaseHolder): Promise<void> => {
  for (let attempt = 0; ; attempt++) {
    try {
      await makeFolder(folder)
      const temporary = join(folder, `${name}.tmp`)
      await writeFile(temporary, JSON.stringify(holder))
      return await rename(temporary, join(folder, name))
    } catch (error) {
      if (systemCode(error) !== "ENOENT" || attempt === 100) throw error
    }
  }
}

/**
 * Become the only holder of `folder`, or learn who holds it. Errors are those of the system.
 */
export const takeLease = async (
  folder: string,
  { now = () => new Date(), passing = false }: LeaseOptions = {},
): Promise<{ readonly lease: Lease } | { readonly heldBy: LeaseEntry }> => {
  let place = folder
  const identity = processIdentity(process.pid)
  const namespace = pidNamespace()
  const owner = randomBytes(16).toString("hex")
  const holder: LeaseHolder = {
    pid: process.pid,
    host: hostname(),
    since: now().toISOString(),
    ...(identity === undefined ? {} : { process: identity }),
    owner,
    ...(namespace === undefined ? {} : { namespace }),
    heartbeat: HEARTBEAT_MS,
  }
  const name = `${process.pid}-${owner}.json`
  for (let attempt = 0; ; attempt++) {
    await enter(place, name, holder)
    const others = (await leaseEntries(place)).filter((entry) => entry.name !== name)
    const live = others.find((entry) => !isGone(entry))
    if (live !== undefined) {
      await unlink(join(place, name))
      if (attempt === 2) return { heldBy: live }
      await sleep(20 + Math.random() * 80)
      continue
    }
    for (const dead of others) await unlink(join(place, dead.name)).catch(() => undefined)
    const dropped = (): void => {
      rmSync(join(place, name), { force: true })
      if (!passing) return
      try {
        rmdirSync(place)
      } catch {
        // another is in it
      }
    }
    process.once("exit", dropped)
    // The file's time is set by the file system that keeps it: written again, not touched with this machine's clock.
    const beat = setInterval(() => {
      writeFile(join(place, name), JSON.stringify(holder), { flag: "r+" }).catch(() => undefined)
    }, HEARTBEAT_MS)
    beat.unref()
    const lease: Lease = {
      takenOver: others.flatMap((entry) => (entry.holder === undefined ? [] : [entry.holder])),
      moved: (to) => {
        place = to
      },
      held: async () => (await stat(join(place, name)).catch(() => undefined)) !== undefined,
      release: async () => {
        clearInterval(beat)
        process.off("exit", dropped)
        await unlink(join(place, name)).catch(() => undefined)
        if (passing) await rmdir(place).catch(() => undefined)
      },
    }
    return { lease }
  }
}

/**
 * The lease of `folder`, waited for while another holds it.
 * @param onWait called once, with who holds it; null when that cannot be read
 */
export const awaitLease = async (
  folder: string,
  options: LeaseOptions & {
    readonly signal?: AbortSignal | undefined
    readonly onWait?: (holder: LeaseHolder | null) => void
  } = {},
): Promise<{ readonly lease: Lease; readonly waited: boolean }> => {
  for (let waited = false; ; waited = true) {
    const taken = await takeLease(folder, options)
    if ("lease" in taken) return { lease: taken.lease, waited }
    if (!waited) options.onWait?.(taken.heldBy.holder ?? null)
    await sleep(
      300 + Math.random() * 200,
      undefined,
      options.signal === undefined ? {} : { signal: options.signal },
    )
  }
}
