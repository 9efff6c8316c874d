/**
 * Where onnxruntime-node is not installed, npm fetches it once into the cache: from the user's own registry, its
 * integrity pinned, without running scripts. Its install script asks a host of its own for CUDA files and fails where
 * that cannot be reached, and with it the whole installation; the CPU library is in the package itself.
 */
import { mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { join } from "node:path"
import { execa } from "execa"
import { cacheDirectory } from "../../files/sources.js"
import { makeFolder } from "../../files/folder.js"

export const ONNXRUNTIME_VERSION = "1.30.0"
/** What the npm registry states of this version's tarball. */
const INTEGRITY =
  "sha512-twhs1C2C/BFkz1yc5OY0KIU2GUq6DURO7hD4bx5Q2Qy3nAMJwRXW8xU3NVczE29VA9lolLOYepoD8fjTGOfIqw=="

const NAME = "onnxruntime-node"

const FOLDER = `${NAME}-${ONNXRUNTIME_VERSION}-${process.platform}-${process.arch}`

/** Folder of fetched engines: REPRO_ENGINES, or one in the cache. */
const enginesFolder = (): string => process.env["REPRO_ENGINES"] ?? join(cacheDirectory(), "engines")

/** Folders that may hold the package: that of REPRO_ENGINES or REPRO_CACHE, and that of the usual cache. */
const places = (): readonly string[] => {
  const { REPRO_CACHE: _, ...usual } = process.env
  return [enginesFolder(), join(cacheDirectory(usual), "engines")].map((engines) => join(engines, FOLDER))
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/** The folder, where an earlier process fetched the package. */
export const fetchedBefore = async (): Promise<string | undefined> => {
  for (const folder of places()) if (await exists(folder)) return folder
  return undefined
}

/** Deletes the native files of other platforms: two thirds of the package. */
const prune = async (modules: string): Promise<void> => {
  const bin = join(modules, NAME, "bin")
  for (const napi of await readdir(bin))
    for (const platform of await readdir(join(bin, napi)))
      for (const arch of await readdir(join(bin, napi, platform)))
        if (platform !== process.platform || arch !== process.arch)
          await rm(join(bin, napi, platform, arch), { recursive: true })
}

/** The integrity that npm verified while it unpacked. */
const installedIntegrity = async (modules: string): Promise<string | undefined> => {
  const lock = JSON.parse(await readFile(join(modules, ".package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, { readonly integrity?: string }>>
  }
  return lock.packages[`node_modules/${NAME}`]?.integrity
}

/**
 * Fetches the package unless it is there, and gives its folder. Several processes may do so at once: each unpacks
 * beside the others and the first to finish is kept.
 *
 * @throws Error when npm cannot fetch it, or gives another package than this version's
 */
export const fetchOnnxruntime = async (say: (line: string) => void): Promise<string> => {
  const before = await fetchedBefore()
  if (before !== undefined) return before
  const engines = enginesFolder()
  const folder = join(engines, FOLDER)
  say(
    `onnxruntime-node ${ONNXRUNTIME_VERSION} is not installed; npm fetches it once into ${folder} (about 110 MB).`,
  )
  await makeFolder(engines)
  const partial = await mkdtemp(join(engines, "partial-"))
  try {
    await writeFile(join(partial, "package.json"), JSON.stringify({ name: "repro-engine", private: true }))
    const { exitCode, stderr } = await execa(
      "npm",
      [
        "install",
        `${NAME}@${ONNXRUNTIME_VERSION}`,
        "--save-exact",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel=error",
      ],
      { cwd: partial, reject: false, stdin: "ignore" },
    )
    if (exitCode !== 0) throw new Error(`npm could not fetch it: ${stderr.trim().split("\n")[0] ?? ""}`)
    const modules = join(partial, "node_modules")
    const integrity = await installedIntegrity(modules)
    if (integrity !== INTEGRITY)
      throw new Error(
        `the registry's ${NAME} ${ONNXRUNTIME_VERSION} is another package (${integrity ?? "no integrity stated"}, expected ${INTEGRITY})`,
      )
    await prune(modules)
    await rename(partial, folder).catch(async (error: unknown) => {
      if (!(await exists(folder))) throw error
    })
    return folder
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
}

/** Loads the fetched package. */
export const requireFetched = (folder: string): unknown =>
  createRequire(join(folder, "package.json"))(NAME) as unknown
