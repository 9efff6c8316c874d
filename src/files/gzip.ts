/** Files of any size, plain or gzip, by what they begin with. */
import { createReadStream } from "node:fs"
import { open } from "node:fs/promises"
import { pipeline } from "node:stream"
import { createGunzip } from "node:zlib"

const CHUNK = 1 << 20

const isGzip = async (path: string): Promise<boolean> => {
  const handle = await open(path, "r")
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0)
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b
  } finally {
    await handle.close()
  }
}

/** The bytes of a file, unpacked; errors are those of the system and of zlib. */
export async function* unzippedBytes(path: string): AsyncGenerator<Buffer> {
  const zipped = await isGzip(path)
  const file = createReadStream(path, { highWaterMark: CHUNK })
  const stream = zipped ? pipeline(file, createGunzip({ chunkSize: CHUNK }), () => undefined) : file
  for await (const part of stream) yield part as Buffer
}
