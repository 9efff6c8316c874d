#!/usr/bin/env node
/** Entry point: checks Node, switches the telemetry of libraries off, then loads the rest. */
import { foldFor } from "../app/fold.js"
import { switchTelemetryOff } from "../engine/telemetry.js"
import { packageFile } from "../files/package-files.js"
import { endWithParent } from "./orphan.js"
import { watchOutput } from "./output.js"

switchTelemetryOff()

const FLOOR = [20, 19] as const

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
if (major < FLOOR[0] || (major === FLOOR[0] && minor < FLOOR[1])) {
  process.stderr.write(
    `repro needs Node ${FLOOR.join(".")} or newer; this is Node ${process.versions.node} (${process.execPath}). ` +
      "Install a current Node, for example with `npx --yes node@22`, then run the command again.\n",
  )
  process.exit(1)
}

watchOutput()
endWithParent()

const args = process.argv.slice(2)

/** The help text was made beforehand: showing it needs none of the program. */
const showHelp = async (): Promise<boolean> => {
  const { readFile } = await import("node:fs/promises")
  try {
    process.stdout.write(
      foldFor(process.stdout, await readFile(packageFile("generated", "help.txt"), "utf8")),
    )
    return true
  } catch {
    return false
  }
}

const asksHelp = args.length === 0 || (args.length === 1 && ["--help", "-h", "help"].includes(args[0]!))
if (!(asksHelp && (await showHelp()))) {
  const { start } = await import("./start.js")
  start(args)
}
