/**
 * Folders in which unfinished shards grow, one a process: its name says whose it is, so that what a dead process left
 * is taken over, by one alone, and what a living one writes is left to it.
 */
import { readdir, rename, rm } from "node:fs/promises"
import { hostname } from "node:os"
import { basename, dirname, join } from "node:path"
import { fromSystemError, systemCode } from "../../../files/errors.js"
import { makeFolder } from "../../../files/folder.js"

const HOST = hostname().replaceAll(/[^A-Za-z0-9.-]/g, "-")

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return systemCode(error) === "EPERM"
  }
}

/** A folder beside `final` for this process, with what a dead one on this machine left of the same work. */
export const workFolder = async (final: string): Promise<string> => {
  const own = `${final}.work-${HOST}-${process.pid}`
  const prefix = `${basename(final)}.work-${HOST}-`
  try {
    await makeFolder(dirname(final))
    let taken = false
    for (const name of await readdir(dirname(final))) {
      if (!name.startsWith(prefix)) continue
      const pid = Number(name.slice(prefix.length))
      if (pid !== process.pid && isAlive(pid)) continue
      const path = join(dirname(final), name)
      if (pid === process.pid) taken = true
      else if (taken) await rm(path, { recursive: true, force: true })
      else
        taken = await rename(path, own).then(
          () => true,
          () => false, // another took it
        )
    }
    await makeFolder(own)
  } catch (error) {
    throw fromSystemError(error, own, "making a folder for tokens; REPRO_CACHE names another place")
  }
  return own
}
