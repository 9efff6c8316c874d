/** Files that are either whole or absent: temporary name, fsync, rename, fsync of the directory. */
import { randomBytes } from "node:crypto"
import { constants } from "node:fs"
import { access, open, rename, stat, unlink } from "node:fs/promises"
import { dirname } from "node:path"
import { destinationOf, writeStraight, type ByteSink } from "./destination.js"
import { fromSystemError } from "./errors.js"
import { makeFolder } from "./folder.js"

export type { ByteSink } from "./destination.js"

/** Largest single write; Node cannot write 2 GiB or more in one call. */
const SLICE = 1 << 26

/** Write all bytes at the handle's position, however many they are, without copying them. */
export const writeFully = async (handle: ByteSink, bytes: Uint8Array): Promise<void> => {
  for (let start = 0; start < bytes.byteLength;) {
    const end = Math.min(bytes.byteLength, start + SLICE)
    const { bytesWritten } = await handle.write(bytes, start, end - start)
    start += bytesWritten
  }
}

/** Make a rename in this directory durable. Platforms that cannot open directories are left as they are. */
export const syncDirectory = async (directory: string): Promise<void> => {
  const handle = await open(directory, "r").catch(() => undefined)
  if (handle === undefined) return
  try {
    await handle.sync().catch(() => undefined)
  } finally {
    await handle.close()
  }
}

const temporaryFor = (path: string): string => `${path}.tmp-${process.pid}-${randomBytes(4).toString("hex")}`

export interface AtomicOptions {
  /** Told of the whole file under its temporary name, before it gets its own: what is recorded here precedes it. */
  readonly beforeNaming?: (temporary: string) => Promise<void>
}

/**
 * Write `path` through `write`; parent folders are made. On failure nothing is left behind and an existing file
 * keeps its content. A symbolic link is followed, and the file it points to replaced; a device, a pipe or a terminal is
 * written to as it stands.
 * @throws DataError naming the path when the disk is full or access is denied.
 */
export const writeAtomically = async (
  path: string,
  write: (handle: ByteSink) => Promise<void>,
  { beforeNaming }: AtomicOptions = {},
): Promise<void> => {
  const to = await destinationOf(path).catch((error: unknown) => {
    throw fromSystemError(error, path, "writing it")
  })
  if (to.kind === "straight") {
    return writeStraight(to, write).catch((error: unknown) => {
      throw fromSystemError(error, path, "writing to it")
    })
  }
  const temporary = temporaryFor(to.path)
  try {
    await makeFolder(dirname(to.path))
    const handle = await open(temporary, "wx")
    try {
      await write(handle)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await beforeNaming?.(temporary)
    await rename(temporary, to.path)
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    throw fromSystemError(error, path, "writing it")
  }
  await syncDirectory(dirname(to.path))
}

/**
 * Fails now where {@link writeAtomically} would fail later: for commands that work long before they write. Parent folders
 * are made; a device, a pipe or a terminal is not opened.
 * @throws DataError naming the path
 */
export const requireWritable = async (path: string): Promise<void> => {
  try {
    const to = await destinationOf(path)
    if (to.kind === "straight") {
      if (to.descriptor === undefined) await access(to.path, constants.W_OK)
      return
    }
    const there = await stat(to.path).catch(() => undefined)
    if (there?.isDirectory() === true) throw Object.assign(new Error("a folder"), { code: "EISDIR" })
    const temporary = temporaryFor(to.path)
    await makeFolder(dirname(to.path))
    await (await open(temporary, "wx")).close()
    await unlink(temporary)
  } catch (error) {
    throw fromSystemError(error, path, "writing it")
  }
}

/** {@link writeAtomically} of bytes or UTF-8 text that are already in memory. */
export const writeFileAtomic = (
  path: string,
  data: Uint8Array | string,
  options: AtomicOptions = {},
): Promise<void> =>
  writeAtomically(
    path,
    (handle) => writeFully(handle, typeof data === "string" ? new TextEncoder().encode(data) : data),
    options,
  )
