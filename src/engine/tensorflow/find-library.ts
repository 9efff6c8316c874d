/**
 * Finds libtensorflow: in a path given, in the optional npm packages, or in a Python environment's TensorFlow.
 * Nothing is loaded here; Python is asked for a path at most, never used to run anything.
 */
import { execFile } from "node:child_process"
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs"
import { createRequire } from "node:module"
import { basename, dirname, join, resolve } from "node:path"
import { promisify } from "node:util"
import { packageUrl } from "../../files/package-files.js"

export interface TensorflowLibrary {
  readonly kind: "found"
  /** Absolute path of the shared library to load. */
  readonly path: string
  /** From the files around the library; undefined where they do not tell. */
  readonly version: string | undefined
  /** Where it was found, in words. */
  readonly source: string
  /** Whether this build has GPU kernels. */
  readonly gpu: boolean
}

export interface TensorflowMissing {
  readonly kind: "missing"
  /** What was looked for and where. */
  readonly problem: string
  /** The command that would add it. */
  readonly command: string
}

export interface FindLibraryOptions {
  /** A shared library or a folder that holds one. */
  readonly path?: string | undefined
  /** Prefer a build with GPU kernels. */
  readonly gpu?: boolean
  readonly env?: NodeJS.ProcessEnv
}

const PYTHON_TIMEOUT_MS = 20_000

const LIBRARY_NAMES: Readonly<Partial<Record<NodeJS.Platform, readonly RegExp[]>>> = {
  linux: [/^libtensorflow_cc\.so\.2$/, /^libtensorflow\.so\.2$/, /^libtensorflow(_cc)?\.so(\.[\d.]+)?$/],
  darwin: [
    /^libtensorflow_cc\.2\.dylib$/,
    /^libtensorflow\.2\.dylib$/,
    /^libtensorflow(_cc)?(\.[\d.]+)?\.dylib$/,
  ],
  win32: [/^tensorflow\.dll$/],
}

const NPM_PACKAGES = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"] as const

const installCommand = (gpu: boolean): string =>
  gpu ? "pip install 'tensorflow[and-cuda]'" : "pip install tensorflow-cpu"

/** The library to use, or what is missing. The newest wins; with `gpu`, builds with GPU kernels come first. */
export const findLibrary = async (
  options: FindLibraryOptions = {},
): Promise<TensorflowLibrary | TensorflowMissing> => {
  const env = options.env ?? process.env
  const given = options.path ?? env["REPRO_LIBTENSORFLOW"]
  if (given !== undefined && given !== "")
    return fromPath(given, options.path === undefined ? "REPRO_LIBTENSORFLOW" : "path given", options)
  const found = await findLibraries(options)
  const best = found.sort(
    (a, b) =>
      (options.gpu === true ? Number(b.gpu) - Number(a.gpu) : 0) || compareVersions(b.version, a.version),
  )[0]
  return (
    best ?? {
      kind: "missing",
      problem: `libtensorflow is in none of ${NPM_PACKAGES.join(", ")} and a Python environment's tensorflow`,
      command: installCommand(options.gpu === true),
    }
  )
}

/** Every library of the npm packages and the Python environments, in the order in which they were found. */
export const findLibraries = async (options: FindLibraryOptions = {}): Promise<TensorflowLibrary[]> => {
  const env = options.env ?? process.env
  const found: TensorflowLibrary[] = []
  for (const name of NPM_PACKAGES) {
    const library = fromNpm(name)
    if (library !== undefined) found.push(library)
  }
  for (const folder of await pythonFolders(env)) {
    const library = fromPython(folder)
    if (library !== undefined && !found.some((f) => f.path === library.path)) found.push(library)
  }
  return found
}

const fromPath = (
  given: string,
  source: string,
  options: FindLibraryOptions,
): TensorflowLibrary | TensorflowMissing => {
  const absolute = resolve(given)
  const missing = (problem: string): TensorflowMissing => ({
    kind: "missing",
    problem,
    command: installCommand(options.gpu === true),
  })
  if (!existsSync(absolute)) return missing(`${source}: ${absolute} does not exist`)
  if (!statSync(absolute).isDirectory()) return describe(absolute, source)
  const path = libraryIn(absolute) ?? libraryIn(join(absolute, "lib"))
  return path === undefined
    ? missing(`${source}: no libtensorflow in the folder ${absolute}`)
    : describe(path, source)
}

const fromNpm = (name: string): TensorflowLibrary | undefined => {
  for (const from of [packageUrl, join(process.cwd(), "package.json")]) {
    try {
      const root = dirname(createRequire(from).resolve(`${name}/package.json`))
      const path = libraryIn(join(root, "deps", "lib"))
      if (path !== undefined) return { ...describe(path, name), gpu: name.endsWith("-gpu") }
    } catch {
      // Not installed there: both packages are optional.
    }
  }
  return undefined
}

const fromPython = (folder: string): TensorflowLibrary | undefined => {
  const path = libraryIn(folder)
  return path === undefined ? undefined : describe(path, "Python package")
}

/** The folders `site-packages/tensorflow` of the active environment and of the interpreters on the path. */
const pythonFolders = async (env: NodeJS.ProcessEnv): Promise<readonly string[]> => {
  const folders = new Set<string>()
  for (const root of [env["VIRTUAL_ENV"], env["CONDA_PREFIX"]]) {
    if (root === undefined || root === "") continue
    for (const folder of sitePackages(root)) folders.add(join(folder, "tensorflow"))
  }
  const ask =
    "import importlib.util as u; s = u.find_spec('tensorflow'); print('\\n'.join(s.submodule_search_locations or []) if s else '')"
  for (const python of process.platform === "win32" ? ["python"] : ["python3", "python"]) {
    try {
      const { stdout } = await promisify(execFile)(python, ["-c", ask], { timeout: PYTHON_TIMEOUT_MS, env })
      for (const line of stdout.split(/\r?\n/)) if (line !== "") folders.add(line)
    } catch {
      // No such interpreter, or it did not answer in time.
    }
  }
  return [...folders].filter((folder) => existsSync(folder))
}

const sitePackages = (root: string): readonly string[] => {
  const windows = join(root, "Lib", "site-packages")
  if (existsSync(windows)) return [windows]
  return list(join(root, "lib"))
    .filter((name) => name.startsWith("python3"))
    .map((name) => join(root, "lib", name, "site-packages"))
}

const list = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

const libraryIn = (folder: string): string | undefined => {
  const names = list(folder)
  for (const pattern of LIBRARY_NAMES[process.platform] ?? []) {
    const name = names.find((n) => pattern.test(n))
    if (name !== undefined) return join(folder, name)
  }
  return undefined
}

/** Version and build from the Python distribution around the library, else from the library's full name. */
const describe = (path: string, source: string): TensorflowLibrary => {
  const folder = dirname(path)
  const distribution = list(dirname(folder))
    .map(
      (name) =>
        /^(?:tensorflow(?:_cpu|_macos|_intel|_rocm)?|tf_nightly(?:_cpu)?)-(.+)\.dist-info$/.exec(name)?.[1],
    )
    .find((version) => version !== undefined)
  const named = /(\d+\.\d+\.\d+)/.exec(basename(realpathSync(path)))?.[1]
  return { kind: "found", path, version: distribution ?? named, source, gpu: hasGpuKernels(folder) }
}

const hasGpuKernels = (folder: string): boolean => {
  try {
    const info = readFileSync(join(folder, "python", "platform", "build_info.py"), "utf8")
    return /["']is_(cuda|rocm)_build["']\s*:\s*True/.test(info)
  } catch {
    return false
  }
}

const numbers = (version: string | undefined): readonly number[] =>
  (version ?? "0").split(/[.\-+]/).map((part) => Number.parseInt(part, 10) || 0)

/** Negative where `a` is older than `b`. */
export const compareVersions = (a: string | undefined, b: string | undefined): number => {
  const [x, y] = [numbers(a), numbers(b)]
  for (let i = 0; i < 3; i++) {
    const difference = (x[i] ?? 0) - (y[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
