/**
 * Imports never run up the floors of the house, and no modules import each other in a circle; types count too.
 *
 * An experiment's schema is assembled from the families' parts, so what of a family holds no tensor stands beside the
 * spec; its tensors stand above the model.
 */
import { existsSync } from "node:fs"
import { readdir, readFile } from "node:fs/promises"
import { dirname, join, normalize } from "node:path"
import { test } from "tap"

/** Bottom to top; the longest prefix of a path says its floor. */
const FLOORS: readonly (readonly string[])[] = [
  [
    "files",
    "metric",
    "diffusion",
    "model/parameters.ts",
    "model/lora-parameters.ts",
    // Generators of items: numbers in, items out.
    ...[
      "generated.ts",
      "brackets/words.ts",
      "star/graph.ts",
      "word-problems/problems.ts",
      "primer/language.ts",
    ].map((name) => `tasks/${name}`),
  ],
  [
    "spec",
    "families/index.ts",
    "families/part.ts",
    "families/transformer.ts",
    // What every family may have beside its tensors; see src/families/README.md.
    ...["schema", "model", "mdm", "objective", "parameters", "feeds", "capacity"].map(
      (name) => `families/*/${name}.ts`,
    ),
    // What of a corpus reads no file, for the same reason.
    ...["index.ts", "part.ts", "*/schema.ts", "*/corpus.ts", "*/sources.ts"].map(
      (name) => `data/corpora/${name}`,
    ),
    // What every evaluator has beside its measurement; see src/evaluators/README.md.
    ...[
      "index",
      "part",
      "pages",
      "summary",
      "evidence",
      "stored-evidence",
      "targets",
      "code-length",
      "*/part",
      // What a part that is longer than a screen is made of.
      "*/schema",
      "*/item",
      "*/figures",
      "*/judged",
      "*/make",
    ].map((name) => `evaluators/${name}.ts`),
    // A spec names tasks and their graders; what starts a sandbox stands above, beside the engine.
    "tasks",
  ],
  [
    "engine",
    "data",
    "audit",
    ...["index", "bubblewrap", "canaries", "pool", "pyodide", "server-process"].map(
      (name) => `tasks/sandbox/${name}.ts`,
    ),
  ],
  ["model"],
  ["inference"],
  ["objectives", "samplers"],
  ["evaluators"],
  ["families"],
  ["train", "plan", "run"],
  ["analysis"],
  ["report"],
  ["app"],
  ["cli"],
]

const IMPORT = /(?:from|import\()\s*"(\.[^"]+)\.js"/g

/** Every module of `src` with those it imports. */
const readModules = async (): Promise<ReadonlyMap<string, readonly string[]>> => {
  const names = (await readdir("src", { recursive: true })).filter((name) => name.endsWith(".ts")).sort()
  const entries = names.map(async (name): Promise<[string, readonly string[]]> => {
    const text = await readFile(join("src", name), "utf8")
    const found = [...text.matchAll(IMPORT)].map(([, path]) => normalize(join(dirname(name), `${path}.ts`)))
    return [name, [...new Set(found)].filter((path) => names.includes(path))]
  })
  return new Map(await Promise.all(entries))
}

const matches = (pattern: string, name: string): boolean =>
  new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", "[^/]+")}(/|$)`).test(name)

const floorOf = (name: string): number => {
  const found = FLOORS.flatMap((patterns, floor) =>
    patterns
      .filter((pattern) => matches(pattern, name))
      .map((pattern) => ({ floor, length: pattern.length })),
  )
  return found.sort((a, b) => b.length - a.length)[0]?.floor ?? -1
}

/** The circles of a graph of imports: its strongly connected components of more than one module (Tarjan). */
const circlesOf = (modules: ReadonlyMap<string, readonly string[]>): readonly string[] => {
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const circles: string[] = []
  const visit = (name: string): void => {
    index.set(name, index.size)
    low.set(name, index.get(name)!)
    stack.push(name)
    for (const next of modules.get(name)!) {
      if (!index.has(next)) visit(next)
      if (stack.includes(next)) low.set(name, Math.min(low.get(name)!, low.get(next)!))
    }
    if (low.get(name) !== index.get(name)) return
    const circle = stack.splice(stack.indexOf(name))
    if (circle.length > 1) circles.push(circle.sort().join(" "))
  }
  for (const name of modules.keys()) if (!index.has(name)) visit(name)
  return circles.sort()
}

test("no import runs up the floors", async (t) => {
  const modules = await readModules()
  t.ok(modules.size > 200)
  t.same(
    [...modules.keys()].filter((name) => floorOf(name) < 0),
    [],
    "every module stands on a floor",
  )
  const upward = [...modules].flatMap(([name, imports]) =>
    imports.filter((path) => floorOf(path) > floorOf(name)).map((path) => `${name} -> ${path}`),
  )
  t.same(upward, [])
})

test("a folder of more than three modules opens with a page of at most one screen", async (t) => {
  const all = await readdir("src", { recursive: true, withFileTypes: true })
  const modules = new Map<string, number>()
  for (const entry of all)
    if (entry.isFile() && entry.name.endsWith(".ts"))
      modules.set(entry.parentPath, (modules.get(entry.parentPath) ?? 0) + 1)
  t.ok(modules.size > 40)
  for (const [folder, count] of modules) {
    if (count <= 3) continue
    const page = await readFile(join(folder, "README.md"), "utf8").catch(() => "")
    t.ok(page.startsWith("# ") && page.split("\n").length <= 50, folder)
  }
})

test("a page names only modules that are there", async (t) => {
  const all = await readdir("src", { recursive: true })
  const pages = all.filter((name) => name.endsWith("README.md"))
  t.ok(pages.length > 40)
  for (const page of pages) {
    const folder = dirname(page)
    // Of a folder of rooms: a file that its rooms have.
    const inRoom = (path: string, name: string): boolean =>
      dirname(dirname(path)) === folder && path.endsWith(`/${name}`)
    const text = await readFile(join("src", page), "utf8")
    const gone = [...text.matchAll(/`([\w./-]+\.ts)`/g)]
      .map(([, name]) => name!)
      .filter((name) => {
        const whole = [join(folder, name), normalize(name.replace(/^src\//, ""))]
        return !(existsSync(name) || all.some((path) => whole.includes(path) || inRoom(path, name)))
      })
    t.same(gone, [], page)
  }
  const folders = (await readdir("src", { withFileTypes: true })).filter((entry) => entry.isDirectory())
  const map = await readFile("src/README.md", "utf8")
  for (const { name } of folders) t.match(map, `| \`${name}/\` `, "the map has every folder")
})

test("no modules import each other in a circle", async (t) => {
  t.same(circlesOf(await readModules()), [])
  // The search finds a circle where there is one.
  t.same(
    circlesOf(
      new Map([
        ["a", ["b"]],
        ["b", ["c"]],
        ["c", ["a"]],
        ["d", ["a"]],
      ]),
    ),
    ["a b c"],
  )
})

test("reading a spec and making a plan load no tensor library", async (t) => {
  const modules = await readModules()
  const reached = new Set<string>()
  const visit = (name: string): void => {
    if (reached.has(name)) return
    reached.add(name)
    modules.get(name)!.forEach(visit)
  }
  visit("plan/plan.ts")
  t.ok(reached.has("spec/experiment.ts") && reached.has("families/index.ts"))
  const loading = await Promise.all(
    [...reached].map(async (name) =>
      /import (?!type).*from "@tensorflow/.test(await readFile(join("src", name), "utf8")) ? [name] : [],
    ),
  )
  t.same(loading.flat(), [])
})
