/** A local HTTP server for download tests. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

export interface TestServer {
  readonly url: string
  /** "METHOD path range" of every request so far. */
  readonly requests: string[]
  readonly close: () => Promise<void>
}

export const startServer = async (
  handle: (request: IncomingMessage, response: ServerResponse, count: number) => void,
): Promise<TestServer> => {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url} ${request.headers.range ?? "-"}`)
    handle(request, response, requests.length)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** Serve `data` with ranges and an ETag; with `cutAfter`, break the connection after that many bytes. */
export const serve = (
  request: IncomingMessage,
  response: ServerResponse,
  data: Uint8Array,
  options: { cutAfter?: number; etag?: string } = {},
): void => {
  const { cutAfter, etag = '"v1"' } = options
  const range = /^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1]
  const same = request.headers["if-range"] === undefined || request.headers["if-range"] === etag
  const start = range !== undefined && same ? Number(range) : 0
  if (start >= data.length && start > 0) {
    response.writeHead(416, { "content-range": `bytes */${data.length}` }).end()
    return
  }
  const headers: Record<string, string | number> = { "content-length": data.length - start }
  if (etag !== "") headers["etag"] = etag
  if (start > 0) headers["content-range"] = `bytes ${start}-${data.length - 1}/${data.length}`
  response.writeHead(start > 0 ? 206 : 200, headers)
  if (cutAfter === undefined) response.end(data.subarray(start))
  // The pause lets a busy client take what was written: an error of its stream drops what it has not read.
  else response.write(data.subarray(start, start + cutAfter), () => setTimeout(() => response.destroy(), 400))
}
