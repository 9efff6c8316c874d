/**
 * What the program says of files. Nobody is told to delete one: a file may be the only copy of days of work, and what
 * was moved away can be brought back.
 */
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { transform } from "esbuild"
import { test } from "tap"

const SOURCES = "src"

/** String and template literals of a source, without its comments. */
const literals = async (source: string): Promise<readonly string[]> => {
  const { code } = await transform(source, { loader: "ts", legalComments: "none" })
  return code.match(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g) ?? []
}

const TOLD =
  /\b(delete|deleted|erase|unlink)\b(?!-code)|\brm -|\bremove (?:it|them|this|that|the (?:file|folder|lock))\b/i

test("no message says that a file be deleted", async (t) => {
  const names = (await readdir(SOURCES, { recursive: true })).filter((name) => name.endsWith(".ts"))
  t.ok(names.length > 300, `${names.length} sources were read`)
  const told = await Promise.all(
    names.map(async (name) =>
      (await literals(await readFile(join(SOURCES, name), "utf8")))
        .filter((literal) => TOLD.test(literal))
        .map((literal) => `${name}: ${literal}`),
    ),
  )
  t.same(told.flat(), [])
})

test("the rule finds what it looks for", async (t) => {
  const source =
    'const a = "x, delete it"; /* "delete it" */ const b = `${a}; remove the lock`; const c = "deleted-code"'
  t.same((await literals(source)).filter((literal) => TOLD.test(literal)).length, 2)
})
