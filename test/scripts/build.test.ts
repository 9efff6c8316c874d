/** What `npm run build` makes: whole, startable, and small to start. */
import { execFile } from "node:child_process"
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises"
import { isBuiltin } from "node:module"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import t from "tap"
import { buildProgram, entriesOf } from "../../scripts/build.js"
import { sourcesOf } from "../../scripts/built.js"

const root = fileURLToPath(new URL("../..", import.meta.url))
// Below the root, as deep as dist/: the program finds the files of its package from there.
const dist = await mkdtemp(join(root, ".dist-test-"))
t.teardown(() => rm(dist, { recursive: true, force: true }))
t.setTimeout(300_000)
await buildProgram(dist)

const outputs = (await readdir(dist, { recursive: true })).filter((name) => name.endsWith(".js"))
const textOf = async (name: string): Promise<string> => readFile(join(dist, name), "utf8")
/** What a module imports at once, as esbuild writes it: one statement to a line, or several lines that end in `from`. */
const STATIC = /^(?:import|export)\s(?:[^;"']*?\sfrom\s)?"([^"]+)";?$/gm
const LAZY = /\bimport\("([^"]+)"\)/g
const specifiers = (text: string, pattern: RegExp): readonly string[] =>
  [...text.matchAll(pattern)].map(([, name]) => name!)

/** Sources that an address means; what it fills in is the name of a folder. */
const pattern = (path: string): RegExp => new RegExp(`^${path.replace(/\$\{\w+\}/g, "[\\w-]+")}\\.ts$`)

t.test("each module that is loaded by its address is a file of its own", async (test) => {
  const sources = await sourcesOf(root)
  const asked = new Set<string>()
  for (const name of sources) {
    const text = await readFile(join(root, "src", name), "utf8")
    if (name === "files/package-files.ts") continue
    test.notMatch(text, /import\.meta/, `${name} asks package-files.ts where files lie`)
    for (const [, path] of text.matchAll(/\bmodule(?:Url|Path)\([`"]([^`"]+)[`"]\)/g)) asked.add(path!)
  }
  test.strictSame(
    [...asked].sort(),
    [
      "app/sampling-rank",
      "cli/bin",
      "data/corpora/pairs/worker",
      "data/corpora/text/worker",
      "evaluators/${kind}/measure",
    ],
    "what the sources load by address",
  )
  const meant = sources.filter((name) => [...asked].some((path) => pattern(path).test(name)))
  test.strictSame(entriesOf(sources), meant.sort())
  for (const entry of meant) test.ok(outputs.includes(entry.replace(/\.ts$/, ".js")), entry)
})

t.test("it needs no package but those that come with it", async (test) => {
  const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as Record<
    "dependencies" | "peerDependencies" | "devDependencies",
    Readonly<Record<string, string>>
  >
  const come = { ...manifest.dependencies, ...manifest.peerDependencies }
  const needed = new Set<string>()
  for (const name of outputs)
    for (const specifier of [
      ...specifiers(await textOf(name), STATIC),
      ...specifiers(await textOf(name), LAZY),
    ])
      // tsx loads threads of the sources, never those of a build.
      if (!/^(\.|node:|tsx\/)/.test(specifier) && !isBuiltin(specifier))
        needed.add(/^(?:@[^/]+\/)?[^/]+/.exec(specifier)![0])
  for (const name of needed) test.ok(name in come, name)
  test.notOk(needed.has("effect"), "it is built in")
  const licences = await textOf("LICENSES.txt")
  for (const name of ["effect", "@effect/platform-node-shared"]) {
    test.notOk(name in come, `${name} is not installed a second time`)
    test.match(licences, `${name} ${manifest.devDependencies[name]} (MIT)`)
  }
})

t.test("to start it loads little, and nothing that computes", async (test) => {
  const loaded = new Set<string>()
  const load = async (name: string): Promise<void> => {
    if (loaded.has(name)) return
    loaded.add(name)
    for (const specifier of specifiers(await textOf(name), STATIC))
      if (specifier.startsWith(".")) await load(join(dirname(name), specifier))
      else test.ok(isBuiltin(specifier), `${name} asks for ${specifier}`)
  }
  await load("cli/bin.js")
  const start = /import\("(\.\.\/chunks\/start-[^"]+)"\)/.exec(await textOf("cli/bin.js"))![1]!
  await load(join("cli", start))
  test.ok(loaded.size > 2 && loaded.size < 30, `${loaded.size} files`)
})

t.test("it runs, and its traces lead to the sources", async (test) => {
  const run = promisify(execFile)
  const bin = join(dist, "cli/bin.js")
  test.ok(((await stat(bin)).mode & 0o111) === 0o111, "npx starts it as a program")
  const { stdout } = await run(process.execPath, [bin, "validate", "mdlm_eos", "--json"], { cwd: dist })
  test.match(JSON.parse(stdout), { valid: true })
  for (const name of outputs) {
    const { sources } = JSON.parse(await textOf(`${name}.map`)) as { readonly sources: readonly string[] }
    for (const source of sources) {
      const path = relative(root, join(dist, dirname(name), source))
      test.ok(/^(src|node_modules)\//.test(path) && (await stat(join(root, path))).isFile(), path)
    }
  }
})
