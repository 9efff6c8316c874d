/**
 * Sources as plain JavaScript in `.built/`, for tests: types are removed once instead of in each of hundreds of
 * processes, and Node runs without loader hooks, which cost every process seconds.
 *
 * `src/files/x.ts` becomes `.built/files/x.js`, as far below the package as it was, so it finds assets as before. Tests,
 * benchmarks and scripts lie in `.built/test/` and so on, and keep the URL of their source as `import.meta.url`: fixtures
 * are read, and goldens are written, beside the source.
 */
import { mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { transform } from "esbuild"
import { buildProgram } from "./build.js"
import { isBuilt } from "./built.js"
import { builtPath, root } from "./node-arguments.js"
import { bundleTestPackages } from "./test-packages.js"

const BUILT = join(root, ".built")
const FOLDERS = ["src", "test", "bench", "scripts"] as const

/** Of the file under this name: one that was renamed keeps the time of its bytes. */
const modified = async (path: string): Promise<number> =>
  (await stat(path).catch(() => undefined))?.ctimeMs ?? -1

const filesBelow = async (folder: string, suffix: string): Promise<readonly string[]> =>
  (await readdir(join(root, folder), { recursive: true }))
    .filter((name) => name.endsWith(suffix) && !name.endsWith(".d.ts"))
    .map((name) => join(folder, name))

const transpile = async (source: string): Promise<void> => {
  const [from, to] = [join(root, source), join(root, builtPath(source))]
  const own = { "import.meta.url": pathToFileURL(from).href, "import.meta.dirname": dirname(from) }
  const { code } = await transform(await readFile(from, "utf8"), {
    loader: "ts",
    format: "esm",
    target: `node${process.versions.node}`,
    sourcefile: from,
    sourcemap: "inline",
    sourcesContent: false,
    define: {
      TRANSPILED: "true",
      ...(source.startsWith("src/")
        ? {}
        : Object.fromEntries(Object.entries(own).map(([name, value]) => [name, JSON.stringify(value)]))),
    },
  })
  await mkdir(dirname(to), { recursive: true })
  // Another run of tests may be reading it.
  const part = `${to}.${process.pid}`
  await writeFile(part, code)
  await rename(part, to)
}

/** Brings `.built/` up to date with the sources, and `dist/`, which tests start as a process. */
export const transpileAll = async (): Promise<void> => {
  if (!(await isBuilt(root))) await buildProgram()
  const sources = (await Promise.all(FOLDERS.map((folder) => filesBelow(folder, ".ts")))).flat()
  const recipe = await modified(fileURLToPath(import.meta.url))
  await mkdir(BUILT, { recursive: true })
  await bundleTestPackages(await Promise.all(sources.map((source) => readFile(join(root, source), "utf8"))))
  await Promise.all(
    sources.map(async (source) => {
      const output = await modified(join(root, builtPath(source)))
      if (output < Math.max(recipe, await modified(join(root, source)))) await transpile(source)
    }),
  )
  const current = new Set(sources.map(builtPath))
  const folders = (await readdir(BUILT)).filter(
    (name) => name !== "src" && !name.includes("node_modules") && !name.endsWith(".js"),
  )
  const outputs = await Promise.all(folders.map((name) => filesBelow(join(".built", name), ".js")))
  const gone = outputs.flat().filter((path) => !current.has(path))
  await Promise.all(gone.map((path) => rm(join(root, path))))
  // A test imports `../src/x.js`; Node follows the link, so a module has one address.
  await symlink(".", join(BUILT, "src")).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error
  })
}
