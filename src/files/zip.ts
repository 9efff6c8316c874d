/**
 * The part of the ZIP format that PyTorch writes: stored entries, with or without the 64-bit extension. Source: PKWARE
 * APPNOTE 6.3.10, sections 4.3 and 4.5.
 */
import type { FileHandle } from "node:fs/promises"
import { crc32 } from "node:zlib"
import { DataError } from "./errors.js"

export interface ZipEntry {
  readonly name: string
  /** Bytes of the stored entry. */
  readonly size: number
  readonly crc32: number
  /** Offset of its local header. */
  readonly header: number
}

export interface ZipFile {
  readonly entries: ReadonlyMap<string, ZipEntry>
  /** @throws DataError when the entry is damaged */
  readonly read: (entry: ZipEntry) => Promise<Uint8Array>
}

const END = 0x06054b50
const END_64 = 0x06064b50
const LOCATOR_64 = 0x07064b50
const CENTRAL = 0x02014b50
const LOCAL = 0x04034b50
const FULL_16 = 0xffff
const FULL_32 = 0xffffffff
/** A longer directory is no list of a checkpoint's tensors. */
const MAX_DIRECTORY = 64 * 2 ** 20

const damaged = (subject: string, what: string): DataError =>
  new DataError("invalid", subject, `${what}; the archive is damaged or not a ZIP file: copy it again.`)

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const naturalOf = (value: bigint, subject: string): number => {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged(subject, `the offset ${value} is impossible`)
  return Number(value)
}

/** Opens the directory of an archive; entries are read when asked for. */
export const openZip = async (handle: FileHandle, subject: string): Promise<ZipFile> => {
  const { size } = await handle.stat()
  const readAt = async (offset: number, length: number): Promise<Uint8Array> => {
    if (offset < 0 || length < 0 || offset + length > size)
      throw damaged(subject, `bytes ${offset} to ${offset + length} lie outside its ${size}`)
    const bytes = new Uint8Array(length)
    let done = 0
    while (done < length) {
      const { bytesRead } = await handle.read(bytes, done, length - done, offset + done)
      if (bytesRead === 0) throw damaged(subject, `it ends within an entry at byte ${offset + done}`)
      done += bytesRead
    }
    return bytes
  }

  // The end record stands before a comment of at most 65535 bytes.
  const tailSize = Math.min(size, 22 + FULL_16)
  const tailAt = size - tailSize
  const tail = viewOf(await readAt(tailAt, tailSize))
  let at = tailSize - 22
  while (at >= 0 && tail.getUint32(at, true) !== END) at--
  if (at < 0)
    throw damaged(
      subject,
      `no end of a ZIP directory was found in its ${size} bytes: the archive was cut off, as by a download that stopped`,
    )
  let count: number = tail.getUint16(at + 10, true)
  let length: number = tail.getUint32(at + 12, true)
  let start: number = tail.getUint32(at + 16, true)
  if (count === FULL_16 || length === FULL_32 || start === FULL_32) {
    const locatorAt = tailAt + at - 20
    const locator = viewOf(await readAt(locatorAt, 20))
    if (locator.getUint32(0, true) !== LOCATOR_64) throw damaged(subject, "its 64-bit directory is missing")
    const end = viewOf(await readAt(naturalOf(locator.getBigUint64(8, true), subject), 56))
    if (end.getUint32(0, true) !== END_64) throw damaged(subject, "its 64-bit directory is missing")
    count = naturalOf(end.getBigUint64(32, true), subject)
    length = naturalOf(end.getBigUint64(40, true), subject)
    start = naturalOf(end.getBigUint64(48, true), subject)
  }
  if (length > MAX_DIRECTORY) throw damaged(subject, `a directory of ${length} bytes is too long`)

  const bytes = await readAt(start, length)
  const directory = viewOf(bytes)
  const entries = new Map<string, ZipEntry>()
  let p = 0
  let stored = 0
  for (let i = 0; i < count; i++) {
    if (p + 46 > length || directory.getUint32(p, true) !== CENTRAL)
      throw damaged(subject, `entry ${i} of ${count} is not in its directory`)
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) => directory.getUint16(p + o, true))
    const next = p + 46 + nameLength! + extraLength! + commentLength!
    if (next > length) throw damaged(subject, `entry ${i} of ${count} is cut off`)
    const name = new TextDecoder().decode(bytes.subarray(p + 46, p + 46 + nameLength!))
    const flags = directory.getUint16(p + 8, true)
    const method = directory.getUint16(p + 10, true)
    if ((flags & 1) !== 0 || method !== 0)
      throw new DataError(
        "invalid",
        subject,
        `the entry ${name} is ${(flags & 1) !== 0 ? "encrypted" : "compressed"}, which torch.save never does; save the state dict with torch.save again.`,
      )
    const sizes = [20, 24, 42].map((o) => directory.getUint32(p + o, true)) as [number, number, number]
    // The 64-bit extension holds, in this order, those of uncompressed size, size and offset that did not fit.
    const order = [1, 0, 2] as const
    let extra = p + 46 + nameLength!
    const extraEnd = extra + extraLength!
    while (extra + 4 <= extraEnd) {
      const [id, width] = [directory.getUint16(extra, true), directory.getUint16(extra + 2, true)]
      let field = extra + 4
      extra = field + width
      if (extra > extraEnd) break
      if (id !== 1) continue
      for (const which of order) {
        if (sizes[which] !== FULL_32 || field + 8 > extra) continue
        sizes[which] = naturalOf(directory.getBigUint64(field, true), subject)
        field += 8
      }
    }
    const [packed, uncompressed, header] = sizes
    if (packed !== uncompressed) throw damaged(subject, `the entry ${name} has two sizes`)
    stored += packed
    if (stored > size)
      throw damaged(subject, `its entries have more than the file's ${size} bytes: some lie in one another`)
    if (entries.has(name)) throw damaged(subject, `the entry ${name} occurs twice`)
    entries.set(name, { name, size: packed, crc32: directory.getUint32(p + 16, true), header })
    p = next
  }
  return {
    entries,
    read: async (entry) => {
      const local = viewOf(await readAt(entry.header, 30))
      if (local.getUint32(0, true) !== LOCAL)
        throw damaged(subject, `the entry ${entry.name} is not where it should be`)
      const data = entry.header + 30 + local.getUint16(26, true) + local.getUint16(28, true)
      const content = await readAt(data, entry.size)
      if (crc32(content) !== entry.crc32)
        throw damaged(subject, `the check sum of the entry ${entry.name} is wrong`)
      return content
    },
  }
}
