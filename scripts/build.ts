/**
 * Builds the program into `dist/`: one file to start, what commands share in chunks, and each module that is loaded by
 * its address (`moduleUrl`) as a file of its own; see ADR 13. Types are checked by `npm run typecheck`.
 */
import { chmod, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { build } from "esbuild"
import { SOURCES, sourcesOf, sourcesText } from "./built.js"

const root = fileURLToPath(new URL("..", import.meta.url))

/** Modules of `src/` that are started or loaded by their address. */
const ENTRIES = [
  /^cli\/bin\.ts$/,
  /^app\/sampling-rank\.ts$/,
  /^data\/corpora\/\w+\/worker\.ts$/,
  /^evaluators\/[\w-]+\/measure\.ts$/,
]

/** Of hundreds of small modules, which a start would look for one by one: built in, so no dependencies of a user. */
const BUILT_IN = /^(effect|@effect\/platform-node-shared)(\/|$)/

/** Paths of the modules in `src/` that are loaded by their address. */
export const entriesOf = (names: readonly string[]): readonly string[] =>
  names.filter((name) => ENTRIES.some((entry) => entry.test(name.replaceAll("\\", "/")))).sort()

/** Folder of the package that a path below node_modules belongs to. */
const packageOf = (path: string): string | undefined =>
  /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]

/** The licences of what is built in, which ask to be passed on with it. */
const licencesOf = async (inputs: readonly string[]): Promise<string> => {
  const folders = [...new Set(inputs.map(packageOf))].filter((each) => each !== undefined).sort()
  const texts = folders.map(async (folder) => {
    const { name, version, license } = JSON.parse(
      await readFile(join(root, folder, "package.json"), "utf8"),
    ) as {
      readonly name: string
      readonly version: string
      readonly license: string
    }
    const file = (await readdir(join(root, folder))).find((each) => /^licen[cs]e/i.test(each))
    if (file === undefined) throw new Error(`${folder}: a package that is built in passes on no licence`)
    return `${name} ${version} (${license})\n\n${(await readFile(join(root, folder, file), "utf8")).trim()}\n`
  })
  return (await Promise.all(texts)).join(`\n${"-".repeat(80)}\n\n`)
}

/**
 * Builds the package at the root of this repository.
 *
 * @param into takes the place of what was there when everything is written
 * @throws Error where a source cannot be parsed or an import leads nowhere; nothing is changed then
 */
export const buildProgram = async (into: string = join(root, "dist")): Promise<void> => {
  const names = await sourcesOf(root)
  const stage = await mkdtemp(join(dirname(into), ".dist-"))
  try {
    const { metafile } = await build({
      absWorkingDir: root,
      entryPoints: entriesOf(names).map((name) => join("src", name)),
      outdir: stage,
      outbase: "src",
      chunkNames: "chunks/[name]-[hash]",
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "node",
      target: "node20.19",
      sourcemap: true,
      sourcesContent: false,
      metafile: true,
      logLevel: "warning",
      logOverride: { "unsupported-dynamic-import": "silent" },
      plugins: [
        {
          name: "packages stay outside but for those that are built in",
          setup: ({ onResolve }) =>
            onResolve({ filter: /^[^./]/ }, ({ path, importer }) => {
              if (path.startsWith("node:")) return { path, external: true }
              if (BUILT_IN.test(path) || importer.includes("node_modules")) return undefined
              return { path, external: true }
            }),
        },
      ],
    })
    await writeFile(join(stage, "LICENSES.txt"), await licencesOf(Object.keys(metafile.inputs)))
    await writeFile(join(stage, SOURCES), sourcesText(names))
    await chmod(join(stage, "cli", "bin.js"), 0o755)
    await chmod(stage, 0o755)
    await rm(into, { recursive: true, force: true })
    await rename(stage, into)
  } finally {
    await rm(stage, { recursive: true, force: true })
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await buildProgram()
