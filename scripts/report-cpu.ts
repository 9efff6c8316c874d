/**
 * Loaded before a test file: as it ends, tells the runner on descriptor 3 the processor seconds of its process and of
 * those that it waited for. Wall time says little on a machine that does something else too.
 */
import { readFileSync, writeSync } from "node:fs"

/** Linux counts in hundredths of a second. */
const TICKS = 100

const seconds = (): number => {
  try {
    const stat = readFileSync("/proc/self/stat", "utf8")
    // Behind the name, which may hold spaces: utime, stime, cutime and cstime are the 14th to 17th of all.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return fields.slice(11, 15).reduce((total, field) => total + Number(field), 0) / TICKS
  } catch {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  }
}

// Its own children inherit the options of Node at most, not the descriptor.
if (String(process.ppid) === process.env["REPRO_TEST_RUNNER"])
  process.on("exit", () => {
    try {
      writeSync(3, String(seconds()))
    } catch {
      // The runner is gone.
    }
  })
