/** Reading of tar archives in memory: ustar with long names in pax or GNU headers, as npm registries serve them. */
import { DataError } from "./errors.js"

export interface TarEntry {
  readonly path: string
  /** Shares memory with the archive. */
  readonly data: Uint8Array
}

const BLOCK = 512
const decoder = new TextDecoder()

const text = (block: Uint8Array, start: number, length: number): string => {
  const field = block.subarray(start, start + length)
  const end = field.indexOf(0)
  return decoder.decode(end < 0 ? field : field.subarray(0, end))
}

const checksumHolds = (block: Uint8Array): boolean => {
  let sum = 8 * 0x20
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += block[i]!
  return sum === Number.parseInt(text(block, 148, 8).trim(), 8)
}

/** `path` of a pax record list ("LENGTH KEY=VALUE\n" repeated), if it has one. */
const paxPath = (records: string): string | undefined => /(?:^|\n)\d+ path=(.*)\n/.exec(records)?.[1]

/**
 * Regular files of an archive, in order; other kinds of entries are passed over.
 * @throws DataError when the bytes are not a whole tar archive.
 */
export function* readTar(archive: Uint8Array, subject: string): Generator<TarEntry> {
  let longName: string | undefined
  for (let at = 0; at + BLOCK <= archive.byteLength;) {
    const block = archive.subarray(at, at + BLOCK)
    if (block.every((byte) => byte === 0)) return
    if (!checksumHolds(block)) {
      throw new DataError("invalid", subject, `no tar header at byte ${at}; fetch the archive again.`)
    }
    const field = text(block, 124, 12).trim() || "0"
    const size = /^[0-7]+$/.test(field) ? Number.parseInt(field, 8) : -1
    if (size < 0) {
      throw new DataError(
        "invalid",
        subject,
        `the header at byte ${at} states ${JSON.stringify(field)} as the size of a file, which is no octal number; fetch the archive again.`,
      )
    }
    const start = at + BLOCK
    if (start + size > archive.byteLength) {
      throw new DataError("truncated", subject, "the archive ends inside a file; fetch it again.")
    }
    const data = archive.subarray(start, start + size)
    const kind = String.fromCodePoint(block[156]!)
    const prefix = text(block, 257, 5) === "ustar" ? text(block, 345, 155) : ""
    const path = longName ?? (prefix === "" ? "" : `${prefix}/`) + text(block, 0, 100)
    if (kind === "x") longName = paxPath(decoder.decode(data)) ?? longName
    else if (kind === "L") longName = text(data, 0, size)
    else {
      longName = undefined
      if (kind === "0" || kind === "\0") yield { path, data }
    }
    at = start + Math.ceil(size / BLOCK) * BLOCK
  }
}
