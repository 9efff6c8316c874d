/** One writer for one run: the lease of its folder `lock/`. */
import { hostname } from "node:os"
import { join } from "node:path"
import {
  isGone,
  isNeighbour,
  leaseEntries,
  STALE_MS,
  takeLease,
  type Lease,
  type LeaseEntry,
  type LeaseHolder,
} from "../files/lease.js"
import { RunError, runErrorFrom } from "./errors.js"

export type Lock = Lease
export type LockHolder = LeaseHolder

/** The live holder of a run folder, if there is one. */
export const lockHolder = async (directory: string): Promise<LockHolder | undefined> => {
  const entries = await leaseEntries(join(directory, "lock"))
  return entries.find((entry) => entry.holder !== undefined && !isGone(entry))?.holder
}

const refusal = (directory: string, { name, holder }: LeaseEntry): RunError => {
  const file = join(directory, "lock", name)
  if (holder === undefined) {
    return new RunError(
      "locked",
      directory,
      `the lock ${file} cannot be read; move it away if nothing is running.`,
    )
  }
  const who = `process ${holder.pid} on ${holder.host} (since ${holder.since})`
  return new RunError(
    "locked",
    directory,
    isNeighbour(holder)
      ? `${who} is writing this run; wait until it ends or stop it, then try again.`
      : holder.heartbeat === undefined
        ? `${who} is writing this run; if that machine no longer does, move ${file} away and try again.`
        : `${who}, ${holder.host === hostname() ? "in another container" : "another machine"}, is writing this run; wait until it ends. If it was killed, its lock is taken over ${STALE_MS / 1000} s after its last sign of life, or move ${file} away.`,
  )
}

/**
 * Become the only writer of `directory`.
 * @throws RunError `locked` when another process holds it.
 */
export const acquireLock = async (directory: string, now: () => Date): Promise<Lock> => {
  try {
    const taken = await takeLease(join(directory, "lock"), { now })
    if ("heldBy" in taken) throw refusal(directory, taken.heldBy)
    const { lease } = taken
    return { ...lease, moved: (to) => lease.moved(join(to, "lock")) }
  } catch (error) {
    throw runErrorFrom(error, directory, "taking its lock")
  }
}
