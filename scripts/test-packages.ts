/**
 * The packages that nearly every test file loads, each bundled into a few files: hundreds of small modules cost every
 * process of a test more than what is in them. They lie in `.built/node_modules`, where the tests' JavaScript finds them
 * before the installed ones.
 */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { build, type Plugin } from "esbuild"
import { root } from "./node-arguments.js"

const BUILT = join(root, ".built")

/** Bundled as one: they share modules. */
const EFFECT = ["effect", "@effect/platform-node-shared"] as const

/** Under the name of tap's own, so that it leaves its frames out of what it reports. */
const TAP = "@tapjs/all"

const versionOf = async (name: string): Promise<string> => {
  const text = await readFile(join(root, "node_modules", name, "package.json"), "utf8")
  return `${name} ${(JSON.parse(text) as { readonly version: string }).version}`
}

/** Modules of `effect` that a source names, such as `effect/cli/Command`. */
const namedIn = (text: string): readonly string[] =>
  [...text.matchAll(/\bfrom\s*"((?:effect|@effect\/platform-node-shared)\/[\w/-]+)"/g)].map(
    ([, name]) => name!,
  )

const manifest = (name: string, exports: unknown): string => JSON.stringify({ name, type: "module", exports })

const common = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  platform: "node",
  target: `node${process.versions.node}`,
  logLevel: "warning",
} as const

/**
 * tap watches every promise of a process, from its making to its collection, to know the test of an error that nothing
 * catches: a quarter of a processor where much is awaited. Without that such an error ends the process, as it does any
 * other; the runner says the error and its place, and that the file failed.
 */
const NO_DOMAINS: Plugin = {
  name: "no domains",
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /^async-hook-domain$/ }, ({ path }) => ({ path, namespace: "replaced" }))
    onLoad({ filter: /./, namespace: "replaced" }, () => ({
      contents: "export class Domain { constructor(onerror) { this.onerror = onerror } destroy() {} }",
    }))
  },
}

/**
 * Brings `.built/node_modules` up to date.
 *
 * @param sources texts of every source that a test may load
 */
export const bundleTestPackages = async (sources: Iterable<string>): Promise<void> => {
  const named = [...new Set([...sources].flatMap(namedIn))].sort()
  const recipe = await readFile(join(root, "scripts/test-packages.ts"), "utf8")
  const versions = await Promise.all([...EFFECT, "tap"].map(versionOf))
  const stamp = JSON.stringify([versions, named, recipe])
  const into = join(BUILT, "node_modules")
  if ((await readFile(join(into, "stamp.json"), "utf8").catch(() => undefined)) === stamp) return
  const stage = join(BUILT, `.node_modules-${process.pid}`)
  await build({
    ...common,
    entryPoints: Object.fromEntries(named.map((name) => [name, name])),
    outdir: stage,
    splitting: true,
    chunkNames: "effect/chunks/[hash]",
  })
  for (const name of EFFECT) {
    await mkdir(join(stage, name), { recursive: true })
    await writeFile(join(stage, name, "package.json"), manifest(name, { "./*": "./*.js" }))
  }
  await build({
    ...common,
    stdin: { contents: `export * from "tap"; export { default } from "tap"`, resolveDir: root },
    outfile: join(stage, TAP, "index.js"),
    plugins: [NO_DOMAINS],
    // Some of it is CommonJS and asks for Node's modules as that does.
    banner: {
      js: `import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);`,
    },
  })
  await writeFile(join(stage, TAP, "package.json"), manifest(TAP, "./index.js"))
  await mkdir(join(stage, "tap"))
  await writeFile(join(stage, "tap/package.json"), manifest("tap", "./index.js"))
  await writeFile(join(stage, "tap/index.js"), `export * from "${TAP}"\nexport { default } from "${TAP}"\n`)
  await writeFile(join(stage, "stamp.json"), stamp)
  await rm(into, { recursive: true, force: true })
  await rename(stage, into)
}
