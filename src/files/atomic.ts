/** Files that are either whole or absent: temporary name, fsync, rename, fsync of the directory. */
import { randomBytes } from "node:crypto"
import { mkdir, open, rename, unlink, type FileHandle } from "node:fs/promises"
import { dirname } from "node:path"
import { fromSystemError } from "./errors.js"

/** Largest single write; Node cannot write 2 GiB or more in one call. */
const SLICE = 1 << 26

/** Write all bytes at the handle's position, however many they are, without copying them. */
export const writeFully = async (handle: FileHandle, bytes: Uint8Array): Promise<void> => {
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

/**
 * Write `path` through `write`; parent folders are made. On failure nothing is left behind and an existing file
 * keeps its content.
 * @throws DataError naming the path when the disk is full or access is denied.
 */
export const writeAtomically = async (
  path: string,
  write: (handle: FileHandle) => Promise<void>,
): Promise<void> => {
  const temporary = `${path}.tmp-${process.pid}-${randomBytes(4).toString("hex")}`
  try {
    await mkdir(dirname(path), { recursive: true })
    const handle = await open(temporary, "wx")
    try {
      await write(handle)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => undefined)
    throw fromSystemError(error, path, "writing it")
  }
  await syncDirectory(dirname(path))
}

/** {@link writeAtomically} of bytes or UTF-8 text that are already in memory. */
export const writeFileAtomic = (path: string, data: Uint8Array | string): Promise<void> =>
  writeAtomically(path, (handle) =>
    writeFully(handle, typeof data === "string" ? new TextEncoder().encode(data) : data),
  )
