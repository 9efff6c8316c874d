import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import tap, { test, type Test } from "tap"
import type { PrepareEvent } from "../../src/files/events.js"
import { fetchNpmTarball } from "../../src/files/sources.js"
import { startServer } from "./server.js"

const root = await mkdtemp(join(tmpdir(), "npm-"))
tap.teardown(() => rm(root, { recursive: true }))
const userConfig = join(root, "npmrc")
await writeFile(userConfig, "")
const source = { kind: "npm", name: "@scope/data", version: "1.2.3" } as const
const fast = { backoffMs: 1, attempts: 3 }

const withRegistry = (t: Test, url: string): void => {
  const saved = { ...process.env }
  t.teardown(() => {
    process.env = saved
  })
  process.env["npm_config_registry"] = url
  process.env["npm_config_userconfig"] = userConfig
  process.env["npm_config_cache"] = join(root, "cache")
  for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "npm_config_proxy"])
    delete process.env[name]
}

test("without a network: the stated attempts, the word that npm is asked, the error", async (t) => {
  const closing = createServer().listen(0, "127.0.0.1")
  await new Promise((resolve) => closing.once("listening", resolve))
  const { port } = closing.address() as AddressInfo
  await new Promise((resolve) => closing.close(resolve))
  withRegistry(t, `http://127.0.0.1:${port}/`)
  const events: PrepareEvent[] = []
  const path = join(root, "closed", "data.tgz")
  await t.rejects(fetchNpmTarball(source, path, { ...fast, onEvent: (event) => events.push(event) }), {
    name: "DataError",
    reason: "offline",
    message: /the server refused the connection, 3 attempts.*Check the network or proxy/,
  })
  t.match(events, [
    { kind: "retry" },
    { kind: "retry" },
    { kind: "asking-npm", name: "@scope/data", version: "1.2.3" },
  ])
  t.same(await readdir(join(root, "closed")), [], "nothing is left behind")
})

test("npm asks the registry once: its own retries would be a silent minute", async (t) => {
  const server = await startServer((_request, response) => response.writeHead(503).end())
  t.teardown(server.close)
  withRegistry(t, server.url)
  await t.rejects(fetchNpmTarball(source, join(root, "busy", "data.tgz"), { ...fast, attempts: 1 }), {
    reason: "offline",
    message: /the server answered 503/,
  })
  t.same(server.requests, ["GET /@scope/data/-/data-1.2.3.tgz -", "GET /@scope%2fdata -"])
})

const linux = { skip: process.platform === "linux" ? false : "/sys is Linux's" }

test(
  "where nothing may be written npm is not asked, and the words are those of a download",
  linux,
  async (t) => {
    const events: unknown[] = []
    const path = "/sys/kernel/repro/npm/data.tgz"
    await t.rejects(fetchNpmTarball(source, path, { onEvent: (event) => events.push(event) }), {
      name: "DataError",
      reason: "refused",
      message: /permission was denied while making its folder/,
    })
    t.same(events, [])
  },
)
