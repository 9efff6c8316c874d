/** A worker ends with the process that started it, also when that was killed. */

/** The variable in which a worker is told the process id of its parent. */
export const PARENT = "REPRO_PARENT"

const LOOK_MS = 1000
/** From the request to stop after the step in progress to the end. */
const GRACE_MS = 7000

const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH"
  }
}

/** Asks this process to stop once its parent is gone, also before it had begun, and ends it if it does not. */
export const endWithParent = (env: NodeJS.ProcessEnv = process.env): void => {
  const parent = Number(env[PARENT])
  if (!Number.isInteger(parent) || parent <= 0) return
  if (process.ppid !== parent) {
    // It was killed while this process began, unless this is a child of the one that was told.
    if (isGone(parent)) process.exit(1)
    return
  }
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    process.kill(process.pid, "SIGTERM")
    setTimeout(() => process.exit(1), GRACE_MS).unref()
  }, LOOK_MS)
  watch.unref()
}
