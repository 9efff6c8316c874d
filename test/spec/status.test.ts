/** docs/status.md names every spec, and no other; the page for contributors leads somewhere. */
import { readdir, readFile, stat } from "node:fs/promises"
import { test } from "tap"

test("docs/status.md names every spec in its column, and no other", async (t) => {
  const rows = (await readFile("docs/status.md", "utf8")).split("\n").filter((line) => line.startsWith("| "))
  const named = rows.flatMap((row) => [...row.split("|")[2]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!))
  const specs = (await readdir("specs")).flatMap((name) => /^(.*)\.json$/.exec(name)?.[1] ?? [])
  t.ok(specs.length > 20)
  t.same([...new Set(named)].sort(), specs.sort())
})

test("every file and folder that CONTRIBUTING.md names is there", async (t) => {
  const text = await readFile("CONTRIBUTING.md", "utf8")
  const paths = [
    ...[...text.matchAll(/\]\(([^)]+)\)/g)].map(([, path]) => path!),
    ...[...text.matchAll(/`((?:src|test|docs|specs|scripts|generated|python)\/[\w./-]*)`/g)].map(
      ([, path]) => path!,
    ),
  ]
  t.ok(paths.length > 15)
  for (const path of paths) await t.resolves(stat(path), path)
})
