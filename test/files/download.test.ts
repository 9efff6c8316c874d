import { createHash } from "node:crypto"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import tap, { test } from "tap"
import { download } from "../../src/files/download.js"
import type { PrepareEvent } from "../../src/files/events.js"
import { serve, startServer } from "../data/server.js"

const root = await mkdtemp(join(tmpdir(), "download-"))
tap.teardown(() => rm(root, { recursive: true }))
const data = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7919) >> 3)
const sha256 = createHash("sha256").update(data).digest("hex")
let folders = 0
const target = () => join(root, String(folders++), "file.bin")
const fast = { backoffMs: 1 }

test("fresh: whole, verified, nothing left beside it", async (t) => {
  const server = await startServer((request, response) => serve(request, response, data))
  t.teardown(server.close)
  const path = target()
  const events: PrepareEvent[] = []
  const result = await download({ url: `${server.url}/a`, path, sha256, onEvent: (e) => events.push(e) })
  t.same(result, { path, bytes: data.length, sha256 })
  t.ok((await readFile(path)).equals(data))
  t.same(await readdir(join(path, "..")), ["file.bin"])
  t.match(events[0], { kind: "download", received: 0, total: data.length })
  t.match(events.at(-2), { kind: "download", received: data.length, total: data.length })
  t.match(events.at(-1), { kind: "downloaded", bytes: data.length, sha256 })
})

test("a cut connection is continued, within a call", async (t) => {
  const server = await startServer((request, response, count) =>
    serve(request, response, data, count < 4 ? { cutAfter: 50_000 } : {}),
  )
  t.teardown(server.close)
  const path = target()
  const events: PrepareEvent[] = []
  await download({ url: `${server.url}/a`, path, onEvent: (e) => events.push(e), ...fast })
  t.ok((await readFile(path)).equals(data))
  t.same(server.requests, ["GET /a -", "GET /a bytes=50000-", "GET /a bytes=100000-", "GET /a bytes=150000-"])
  t.match(
    events
      .filter(({ kind }) => kind === "retry")
      .map((event) => (event.kind === "retry" ? event.reason : "")),
    ["the connection was cut", "the connection was cut", "the connection was cut"],
  )
})

test("a cut connection is continued by a later call; the file gets its name last", async (t) => {
  let healthy = false
  const server = await startServer((request, response, count) => {
    if (healthy) serve(request, response, data)
    else if (count === 1) serve(request, response, data, { cutAfter: 70_000 })
    else response.destroy()
  })
  t.teardown(server.close)
  const path = target()
  await t.rejects(download({ url: `${server.url}/a`, path, attempts: 2, ...fast }), {
    name: "DataError",
    reason: "offline",
    message: /70000 bytes are kept.*Check the network/,
  } as unknown as Error)
  t.notOk((await readdir(join(path, ".."))).includes("file.bin"))
  healthy = true
  await download({ url: `${server.url}/a`, path, sha256, ...fast })
  t.equal(server.requests.at(-1), "GET /a bytes=70000-")
  t.ok((await readFile(path)).equals(data))
})

test("a file that changed on the server is fetched from its start", async (t) => {
  const newer = data.toReversed()
  const server = await startServer((request, response, count) =>
    count === 1
      ? serve(request, response, data, { cutAfter: 10_000 })
      : serve(request, response, newer, { etag: '"v2"' }),
  )
  t.teardown(server.close)
  const path = target()
  await download({ url: `${server.url}/a`, path, ...fast })
  t.ok((await readFile(path)).equals(newer))
})

test("without a validator only a known digest allows continuing", async (t) => {
  const server = await startServer((request, response, count) =>
    serve(request, response, data, { etag: "", ...(count % 2 === 1 ? { cutAfter: 10_000 } : {}) }),
  )
  t.teardown(server.close)
  await download({ url: `${server.url}/unknown`, path: target(), ...fast })
  await download({ url: `${server.url}/known`, path: target(), sha256, ...fast })
  t.same(server.requests, ["GET /unknown -", "GET /unknown -", "GET /known -", "GET /known bytes=10000-"])
})

test("a partial file longer than the server's is started again", async (t) => {
  const server = await startServer((request, response) => serve(request, response, data))
  t.teardown(server.close)
  const path = target()
  await download({ url: `${server.url}/a`, path })
  await writeFile(`${path}.partial`, new Uint8Array(data.length + 5))
  await writeFile(`${path}.partial.json`, JSON.stringify({ url: `${server.url}/a`, validator: '"v1"' }))
  await download({ url: `${server.url}/a`, path, sha256, ...fast })
  t.ok((await readFile(path)).equals(data))
})

test("a wrong digest: both are named and nothing is kept", async (t) => {
  const server = await startServer((request, response) => serve(request, response, data))
  t.teardown(server.close)
  const path = target()
  const wrong = "0".repeat(64)
  await t.rejects(download({ url: `${server.url}/a`, path, sha256: wrong }), {
    reason: "digest",
    message: new RegExp(`${sha256}, not ${wrong}`),
  } as unknown as Error)
  t.same(await readdir(join(path, "..")), [])
})

test("404, 403 and other refusals fail at once; 5xx and 429 are tried again", async (t) => {
  const server = await startServer((request, response, count) => {
    const status = Number(request.url?.slice(1))
    if (status >= 429 && count % 2 === 0) serve(request, response, data)
    else response.writeHead(status, { "retry-after": "0" }).end("no")
  })
  t.teardown(server.close)
  await t.rejects(
    download({ url: `${server.url}/404`, path: target(), ...fast }),
    /no such file \(404\); check the name/,
  )
  await t.rejects(
    download({ url: `${server.url}/403`, path: target(), ...fast }),
    /access was denied \(403\).*HF_TOKEN/,
  )
  t.equal(server.requests.length, 2)
  await download({ url: `${server.url}/503`, path: target(), sha256, ...fast })
  await download({ url: `${server.url}/429`, path: target(), sha256, ...fast })
  t.equal(server.requests.length, 6)
})

test("redirects are followed, ranges and all", async (t) => {
  const server = await startServer((request, response, count) => {
    if (request.url === "/a") response.writeHead(302, { location: "/b" }).end()
    else serve(request, response, data, count < 3 ? { cutAfter: 99 } : {})
  })
  t.teardown(server.close)
  await download({ url: `${server.url}/a`, path: target(), sha256, ...fast })
  t.same(server.requests, ["GET /a -", "GET /b -", "GET /a bytes=99-", "GET /b bytes=99-"])
})

test("no network: the sentence says so", async (t) => {
  const server = await startServer(() => undefined)
  await server.close()
  await t.rejects(
    download({ url: `${server.url}/a`, path: target(), attempts: 2, ...fast }),
    /could not be fetched \(the server refused the connection, 2 attempts\)\. Check the network or proxy/,
  )
})

test("a download can be stopped", async (t) => {
  const server = await startServer((_, response) => {
    response.writeHead(200, { "content-length": 10 }).write("abc")
  })
  t.teardown(server.close)
  const stop = new AbortController()
  const path = target()
  const running = download({
    url: `${server.url}/a`,
    path,
    signal: stop.signal,
    onEvent: (event) => {
      if (event.kind === "download" && event.received === 3) stop.abort()
    },
  })
  await t.rejects(running, { name: "AbortError" })
  t.notOk((await readdir(join(path, ".."))).includes("file.bin"))
})

test("a server that never progresses ends after the stated attempts, however it fails", async (t) => {
  const attempts = 4
  /** Ways to send something at each attempt and never the file. */
  const ways: Record<string, Parameters<typeof startServer>[0]> = {
    "another ETag each time": (request, response, count) =>
      serve(request, response, data, { etag: `"v${count}"`, cutAfter: 20_000 }),
    "no ETag, now more and now less": (request, response, count) =>
      serve(request, response, data, { etag: "", cutAfter: count % 2 === 0 ? 30_000 : 20_000 }),
    "one more byte each time": (request, response) => serve(request, response, data, { cutAfter: 1 }),
    "a continuation that is refused": (request, response) => {
      if (request.headers.range === undefined) serve(request, response, data, { cutAfter: 20_000 })
      else response.writeHead(416).end()
    },
    "more than it said": (_, response) => {
      response.writeHead(200, { "content-range": "bytes 0-9/10" })
      response.end(data)
    },
  }
  for (const [name, way] of Object.entries(ways)) {
    const server = await startServer(way)
    t.teardown(server.close)
    await t.rejects(
      download({ url: `${server.url}/a`, path: target(), attempts, ...fast }),
      { reason: "offline", message: /4 attempts/ } as unknown as Error,
      name,
    )
    t.ok(server.requests.length <= attempts + 1, `${name}: ${server.requests.length} requests`)
  }
})

test("a silent server is given up: before its answer, and within", async (t) => {
  const server = await startServer((request, response) => {
    if (request.url === "/within") response.writeHead(200, { "content-length": 10 }).write("abc")
  })
  t.teardown(server.close)
  for (const place of ["before", "within"])
    await t.rejects(
      download({ url: `${server.url}/${place}`, path: target(), attempts: 2, idleMs: 50, ...fast }),
      /the server was silent for 0\.05 s, 2 attempts/,
      place,
    )
})

test("redirects without end are refused", async (t) => {
  const server = await startServer((_, response) => response.writeHead(302, { location: "/again" }).end())
  t.teardown(server.close)
  await t.rejects(download({ url: `${server.url}/a`, path: target(), ...fast }), /to the next without end/)
  t.equal(server.requests.length, 11)
})

test("of calls at once one fetches and the others take its file", async (t) => {
  const server = await startServer((request, response, count) =>
    serve(request, response, data, count === 1 ? { cutAfter: 100_000 } : {}),
  )
  t.teardown(server.close)
  const path = target()
  const waiting: PrepareEvent[] = []
  const results = await Promise.all(
    [1, 2, 3].map(() =>
      download({
        url: `${server.url}/a`,
        path,
        onEvent: (event) => void (event.kind === "waiting" && waiting.push(event)),
        ...fast,
      }),
    ),
  )
  t.same(
    results,
    [1, 2, 3].map(() => ({ path, bytes: data.length, sha256 })),
  )
  t.same(server.requests, ["GET /a -", "GET /a bytes=100000-"])
  t.match(waiting, [{ path, holder: { pid: process.pid } }, { path }])
  t.same(await readdir(join(path, "..")), ["file.bin"])
})
