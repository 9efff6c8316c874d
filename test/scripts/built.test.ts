import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { test } from "tap"
import { isBuilt, sourcesOf, sourcesText } from "../../scripts/built.js"

const RECIPE = ["scripts/build.ts", "tsconfig.json", "package.json", "package-lock.json"]

test("dist is current only while it is of the same sources and as new as each and the recipe", async (t) => {
  const root = await mkdtemp(join(tmpdir(), "built-"))
  t.teardown(() => rm(root, { recursive: true }))
  const put = async (name: string, seconds: number, text = ""): Promise<void> => {
    await mkdir(dirname(join(root, name)), { recursive: true })
    await writeFile(join(root, name), text)
    await utimes(join(root, name), seconds, seconds)
  }
  const build = async (seconds: number): Promise<void> => {
    await put("dist/cli/bin.js", seconds)
    await put("dist/sources.json", seconds, sourcesText(await sourcesOf(root)))
  }
  for (const name of RECIPE) await put(name, 1000)
  await put("src/a.ts", 1000)
  await put("src/cli/bin.ts", 1000)
  t.equal(await isBuilt(root), false, "a fresh clone")
  await put("dist/cli/bin.js", 1010)
  t.equal(await isBuilt(root), false, "a build that was broken off")
  await build(1010)
  t.equal(await isBuilt(root), true)
  await put("src/cli/bin.ts", 1020)
  t.equal(await isBuilt(root), false, "an edited source")
  await build(1030)
  t.equal(await isBuilt(root), true)
  await put("src/new.ts", 900)
  t.equal(await isBuilt(root), false, "a source that was not built, old as it may be")
  await build(1030)
  t.equal(await isBuilt(root), true)
  await rm(join(root, "src/a.ts"))
  t.equal(await isBuilt(root), false, "a source that is gone")
  await build(1030)
  for (const name of RECIPE) {
    await put(name, 2000)
    t.equal(await isBuilt(root), false, name)
    await put(name, 1000)
  }
  t.equal(await isBuilt(root), true)
  await rm(join(root, "dist"), { recursive: true })
  t.equal(await isBuilt(root), false, "no dist")
})

test("npm builds a clone and what it packs by asking first", async (t) => {
  const { scripts } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as {
    readonly scripts: Readonly<Record<string, string>>
  }
  const built = "tsx scripts/built.ts || npm run build"
  t.equal(scripts["postprepare"], built, "at npm install and npm ci of the clone itself")
  t.equal(scripts["prepack"], built, "at npm pack and npm publish")
  for (const name of ["preinstall", "install", "postinstall", "prepare"])
    t.notOk(name in scripts, `${name} would run, or be warned of, where the package is installed`)
  t.equal(scripts["build"], "tsx scripts/build.ts")
})
