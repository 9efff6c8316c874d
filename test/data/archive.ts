/** A gzipped ustar archive, as a registry serves it. */
import { gzipSync } from "node:zlib"

const entry = (path: string, data: Uint8Array, kind = "0"): Buffer => {
  const header = Buffer.alloc(512)
  header.write(path.slice(0, 100), 0)
  header.write("0000644\0", 100)
  header.write(`${data.length.toString(8).padStart(11, "0")}\0`, 124)
  header.write(kind, 156)
  header.write("ustar\x0000", 257)
  header.fill(" ", 148, 156)
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  )
  return Buffer.concat([header, data, Buffer.alloc((512 - (data.length % 512)) % 512)])
}

/** Paths of 100 characters and more get a pax header. */
export const tar = (files: Readonly<Record<string, string>>): Buffer => {
  const parts = [entry("package/", new Uint8Array(), "5")]
  for (const [path, text] of Object.entries(files)) {
    if (path.length >= 100) {
      const rest = ` path=${path}\n`
      const length = rest.length + String(rest.length + 3).length
      parts.push(entry("pax", Buffer.from(`${length}${rest}`), "x"))
    }
    parts.push(entry(path, Buffer.from(text)))
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)])
}

export const tarball = (files: Readonly<Record<string, string>>): Buffer => gzipSync(tar(files))
