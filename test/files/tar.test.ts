import { test } from "tap"
import { readTar } from "../../src/files/tar.js"

/** One header with this text as the size of its file, and a right checksum (POSIX.1-1988 ustar). */
const header = (size: string): Buffer => {
  const block = Buffer.alloc(512)
  block.write("name", 0)
  block.write(size, 124)
  block.write(" ".repeat(8), 148)
  block.write("0", 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148)
  return block
}

test("sizes that are none are refused at once, absurd ones as cut short", (t) => {
  for (const size of ["-1000", "-77777777777", "9", "1e9", "NaN"])
    t.throws(
      () => [...readTar(Buffer.concat([header(size), Buffer.alloc(1024)]), "x")],
      /which is no octal number/,
      size,
    )
  t.throws(
    () => [...readTar(Buffer.concat([header("77777777777"), Buffer.alloc(1024)]), "x")],
    /ends inside a file/,
  )
  t.same([...readTar(Buffer.concat([header("0"), Buffer.alloc(1024)]), "x")].length, 1)
  t.end()
})
