/** Parquet files of pyarrow (parquet/make.py, which states their rows): codecs, row groups, page versions, faults. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import tap, { test } from "tap"
import { countParquetRows, isParquet, parquetRows } from "../../src/files/parquet.js"
import { parquetFile, parquetText } from "./parquet/texts.js"

const root = await mkdtemp(join(tmpdir(), "parquet-"))
tap.teardown(() => rm(root, { recursive: true }))

const textsOf = async (path: string): Promise<readonly unknown[]> => {
  const found: unknown[] = []
  for await (const { row, values } of parquetRows(path, ["text"])) {
    found.push(values["text"])
    if (row !== found.length) throw new Error(`row ${row} is number ${found.length}`)
  }
  return found
}

test("snappy, zstd with pages of version 2, gzip: the rows that were written, in order", async (t) => {
  const parts = [
    [0, 25],
    [25, 45],
    [45, 60],
  ] as const
  for (const [k, [from, to]] of parts.entries()) {
    const path = parquetFile(`part-${k}.parquet`)
    t.ok(await isParquet(path))
    t.equal(await countParquetRows(path), to - from)
    t.same(
      await textsOf(path),
      Array.from({ length: to - from }, (_, i) => parquetText(from + i)),
    )
  }
  const brotli: unknown[] = []
  for await (const { values } of parquetRows(parquetFile("pairs.parquet"), ["code"])) brotli.push(values)
  t.same(brotli.at(-1), { code: "return 19" })
})

test("a group of more rows than are read at once is read in parts, each row once", async (t) => {
  const path = parquetFile("group.parquet")
  const wrong: number[] = []
  let count = 0
  for await (const { row, values } of parquetRows(path, ["id", "text"])) {
    if (row !== ++count || values["id"] !== BigInt(row - 1) || values["text"] !== `${(row - 1) % 7}`)
      wrong.push(row)
  }
  t.equal(count, 20_000)
  t.same(wrong, [])
})

test("a column that is not there, a file that is cut or no parquet: a sentence with the file", async (t) => {
  await t.rejects(async () => {
    for await (const row of parquetRows(parquetFile("part-0.parquet"), ["content"])) t.fail(String(row.row))
  }, /part-0\.parquet: it has no column "content"; its columns are id, text\./)

  const whole = await readFile(parquetFile("part-0.parquet"))
  const cut = join(root, "cut.parquet")
  await writeFile(cut, whole.subarray(0, whole.length - 40))
  t.ok(await isParquet(cut))
  await t.rejects(countParquetRows(cut), /cut\.parquet: it cannot be read as parquet .* fetch it again/)

  const damaged = join(root, "damaged.parquet")
  // Pages lie between the magic of four bytes and the footer, which takes less than half of the file.
  const pages = whole.length >> 1
  await writeFile(
    damaged,
    Buffer.concat([whole.subarray(0, 4), Buffer.alloc(pages, 0xff), whole.subarray(4 + pages)]),
  )
  await t.rejects(textsOf(damaged), /damaged\.parquet: it cannot be read as parquet/)

  const text = join(root, "text.jsonl")
  await writeFile(text, "{}\n")
  t.notOk(await isParquet(text))
  await t.rejects(countParquetRows(join(root, "none.parquet")), /none\.parquet: there is no such file/)
})
