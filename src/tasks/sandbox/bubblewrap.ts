/** The command of a sandbox on Linux: bubblewrap around Python, with a user and namespaces of its own. */
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { dirname } from "node:path"
import { promisify } from "node:util"
import { pythonCandidates } from "../../engine/torch/find-torch.js"
import { packageFile } from "../../files/package-files.js"
import type { ServerCommand } from "./server-process.js"

/** The folder of the guest's code. */
const GUEST = packageFile("python", "sandbox")
const ASK_TIMEOUT_MS = 30_000
const OLDEST = [3, 10] as const

/** An interpreter and the folders that it cannot do without. */
export interface GuestPython {
  readonly executable: string
  readonly version: readonly [number, number, number]
  /** Of the standard library: PREFIX/lib. */
  readonly libraries: string
  /** Folders of installed packages, hidden from programs. */
  readonly packages: readonly string[]
}

const QUESTION = `
import json, os, sys, sysconfig
import ctypes
paths = sysconfig.get_paths(vars={"base": sys.base_prefix, "platbase": sys.base_exec_prefix})
executable = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
packages = [p for p in {paths["purelib"], paths["platlib"]} if os.path.isdir(p)]
print(json.dumps([executable, list(sys.version_info[:3]), os.path.dirname(os.path.realpath(paths["stdlib"])), packages]))
`

/** Pythons that could be the guest, in the order in which they are tried. */
export const guestPythons = async (env: NodeJS.ProcessEnv = process.env): Promise<readonly GuestPython[]> => {
  const named = pythonCandidates(env)
  const candidates = env["REPRO_PYTHON"] ? named : [...new Set([...named, "/usr/bin/python3"])]
  const found: GuestPython[] = []
  for (const python of candidates) {
    try {
      const { stdout } = await promisify(execFile)(python, ["-I", "-S", "-c", QUESTION], {
        timeout: ASK_TIMEOUT_MS,
        env,
      })
      const [executable, version, libraries, packages] = JSON.parse(stdout) as [
        string,
        [number, number, number],
        string,
        string[],
      ]
      const old = version[0] < OLDEST[0] || (version[0] === OLDEST[0] && version[1] < OLDEST[1])
      if (!old && !found.some((other) => other.executable === executable))
        found.push({ executable, version, libraries, packages })
    } catch {
      // Not there, or without ctypes: the next one.
    }
  }
  return found
}

/** The path of bubblewrap; undefined where it is not installed. */
export const findBubblewrap = (env: NodeJS.ProcessEnv = process.env): string | undefined =>
  (env["PATH"] ?? "")
    .split(":")
    .filter((folder) => folder.startsWith("/"))
    .map((folder) => `${folder}/bwrap`)
    .find((path) => existsSync(path))

/** Folders of shared libraries, wherever a distribution keeps them. */
const SYSTEM_LIBRARIES = ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/nix/store"] as const

/**
 * No network, no process table, no file to write: the guest sees its interpreter, the libraries and the null device,
 * as a user that owns nothing.
 */
export const bubblewrapCommand = (bubblewrap: string, python: GuestPython): ServerCommand => {
  const { executable, libraries, packages } = python
  const readable = new Set([...SYSTEM_LIBRARIES.filter((path) => existsSync(path)), libraries])
  const hidden = packages.filter((path) => path.startsWith(`${libraries}/`))
  const options: readonly (readonly string[])[] = [
    ["--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"],
    ["--uid", "65534", "--gid", "65534", "--hostname", "sandbox"],
    ...[...readable].map((path) => ["--ro-bind", path, path]),
    ...hidden.map((path) => ["--tmpfs", path]),
    ["--dir", dirname(executable), "--ro-bind", executable, executable],
    ["--ro-bind", GUEST, "/sandbox", "--dev-bind", "/dev/null", "/dev/null"],
    ["--remount-ro", "/", "--chdir", "/"],
  ]
  return {
    file: bubblewrap,
    args: [...options.flat(), executable, "-I", "-S", "-B", "-X", "utf8", "/sandbox/server.py"],
  }
}
