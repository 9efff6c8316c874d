/** The command of a sandbox where there is no bubblewrap: Pyodide in a process of Node that may do nothing. */
import { existsSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { packageFile, packageUrl } from "../../files/package-files.js"
import type { ServerCommand } from "./server-process.js"

/** The version that the realm of python/sandbox/wasm/realm.js is made for. */
export const PYODIDE = "314.0.7"

/** The folder of the guest's code. */
const GUEST = packageFile("python", "sandbox")

export interface FoundPyodide {
  readonly folder: string
  readonly version: string
}

const packages = (env: NodeJS.ProcessEnv): readonly string[] => {
  const named = env["REPRO_PYODIDE"]
  if (named) return [join(named, "package.json")]
  return [packageUrl, pathToFileURL(join(process.cwd(), "package.json")).href].flatMap((from) => {
    try {
      return [createRequire(from).resolve("pyodide/package.json")]
    } catch {
      return []
    }
  })
}

/**
 * Pyodide in the folder that REPRO_PYODIDE names, else as npm installed it beside the program or in the current folder;
 * undefined where it is not.
 */
export const findPyodide = async (
  env: NodeJS.ProcessEnv = process.env,
): Promise<FoundPyodide | undefined> => {
  for (const path of packages(env))
    try {
      const { version } = JSON.parse(await readFile(path, "utf8")) as { version: string }
      const folder = dirname(path)
      if (existsSync(join(folder, "pyodide.asm.wasm"))) return { folder, version }
    } catch {
      // Not there, or not whole.
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
