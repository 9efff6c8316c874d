/** What a path to write to means: a file that may be replaced, or something that must be written to as it stands. */
import { constants, write as writeCallback } from "node:fs"
import { lstat, open, readlink, stat } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { systemCode } from "./errors.js"

/** The part of a file handle that writers use. */
export interface ByteSink {
  readonly write: (
    bytes: Uint8Array,
    offset: number,
    length: number,
  ) => Promise<{ readonly bytesWritten: number }>
}

export type Destination =
  /** A regular file, or none yet: written whole and renamed into place. */
  | { readonly kind: "replace"; readonly path: string }
  /** A device, pipe, terminal or open descriptor: never replaced. */
  | { readonly kind: "straight"; readonly path: string; readonly descriptor?: number }

/** As many links as Linux follows. */
const LINKS = 40

/** The descriptor of this process that a path such as `/dev/fd/1` or `/proc/self/fd/1` names. */
const descriptorOf = (path: string): number | undefined => {
  const number =
    new RegExp(String.raw`^/(?:dev/fd|proc/(?:self|thread-self|${process.pid})/fd)/(\d+)$`).exec(path)?.[1] ??
    { "/dev/stdin": "0", "/dev/stdout": "1", "/dev/stderr": "2" }[path]
  return number === undefined ? undefined : Number(number)
}

/** Follows symbolic links, also one whose target is not there yet, and looks at what stands at the end. */
export const destinationOf = async (given: string): Promise<Destination> => {
  let path = resolve(given)
  for (let links = 0; links < LINKS; links++) {
    const descriptor = descriptorOf(path)
    if (descriptor !== undefined) return { kind: "straight", path: given, descriptor }
    const here = await lstat(path).catch((error: unknown) => {
      if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return undefined
      throw error
    })
    if (here === undefined || here.isFile() || here.isDirectory()) return { kind: "replace", path }
    if (!here.isSymbolicLink()) return { kind: "straight", path }
    path = resolve(dirname(path), await readlink(path))
  }
  await stat(given) // the system says what is wrong with so many links
  return { kind: "replace", path }
}

const toDescriptor = (descriptor: number): ByteSink => ({
  write: async (bytes, offset, length) => {
    for (;;) {
      try {
        return await new Promise((done, failed) =>
          writeCallback(descriptor, bytes, offset, length, null, (error, bytesWritten) =>
            error === null ? done({ bytesWritten }) : failed(error),
          ),
        )
      } catch (error) {
        if (systemCode(error) !== "EAGAIN") throw error
        await sleep(5) // a full pipe that does not block
      }
    }
  },
})

/** Write to a device, pipe, terminal or descriptor; nothing is truncated, renamed or synchronised. */
export const writeStraight = async (
  { path, descriptor }: Destination & { kind: "straight" },
  write: (sink: ByteSink) => Promise<void>,
): Promise<void> => {
  if (descriptor !== undefined) return write(toDescriptor(descriptor))
  const handle = await open(path, constants.O_WRONLY)
  try {
    await write({ write: (bytes, offset, length) => handle.write(bytes, offset, length, null) })
  } finally {
    await handle.close()
  }
}
