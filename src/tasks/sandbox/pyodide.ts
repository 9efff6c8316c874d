/** The command of a sandbox where there is no bubblewrap: Pyodide in a process of Node that may do nothing. */
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import type { ServerCommand } from "./server-process.js"

/** The version that the realm of python/sandbox/wasm/realm.js is made for. */
export const PYODIDE = "314.0.7"

/** The folder of the guest's code, from `src` and from `dist` alike. */
const GUEST = fileURLToPath(new URL("../../../python/sandbox", import.meta.url))

export interface FoundPyodide {
  readonly folder: string
  readonly version: string
}

/** Pyodide as npm installed it beside the program or in the current folder; undefined where it is not. */
export const findPyodide = async (
  from: readonly string[] = [import.meta.url, pathToFileURL(join(process.cwd(), "package.json")).href],
): Promise<FoundPyodide | undefined> => {
  for (const start of from)
    try {
      const folder = dirname(createRequire(start).resolve("pyodide/package.json"))
      const { version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as {
        version: string
      }
      if (existsSync(join(folder, "pyodide.asm.wasm"))) return { folder, version }
    } catch {
      // Not installed from here.
    }
  return undefined
}

/**
 * Node without the right to write, to start a process, to load a native module, or to read anything but the guest's
 * code and Pyodide; and, as a realm of JavaScript could make code of text, without that either.
 */
export const pyodideCommand = ({ folder }: FoundPyodide): ServerCommand => {
  const known = process.allowedNodeEnvironmentFlags
  const readable = [GUEST, folder].map((path) => `--allow-fs-read=${join(path, "*")}`)
  return {
    file: process.execPath,
    args: [
      known.has("--permission") ? "--permission" : "--experimental-permission",
      "--allow-worker",
      ...readable,
      "--disallow-code-generation-from-strings",
      "--experimental-vm-modules",
      "--no-warnings",
      join(GUEST, "wasm", "server.mjs"),
      folder,
    ],
  }
}
