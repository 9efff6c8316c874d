#!/usr/bin/env node
/** Entry point: checks Node, then loads the rest. */

const FLOOR = [20, 19] as const

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
if (major < FLOOR[0] || (major === FLOOR[0] && minor < FLOOR[1])) {
  process.stderr.write(
    `repro needs Node ${FLOOR.join(".")} or newer; this is Node ${process.versions.node} (${process.execPath}). ` +
      "Install a current Node, for example with `npx --yes node@22`, then run the command again.\n",
  )
  process.exit(1)
}

// A reader that closes early (repro list | head) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0)
  throw error
})

const { start } = await import("./start.js")
start(process.argv.slice(2))
