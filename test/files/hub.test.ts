/** Files of the hub: pinned to a commit, verified by what it states and by the digests of first use. */
import { createHash } from "node:crypto"
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import type { IncomingMessage, ServerResponse } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import tap, { test, type Test } from "tap"
import { bytesDigest } from "../../src/files/digest.js"
import {
  fetchHubFile,
  pinnedCommit,
  recordedDigests,
  requireRecorded,
  type HubFolder,
} from "../../src/files/hub.js"
import { serve, startServer } from "../data/server.js"

const root = await mkdtemp(join(tmpdir(), "hub-"))
tap.teardown(() => rm(root, { recursive: true }))

const [OLD, NEW] = ["a".repeat(40), "b".repeat(40)]
const large = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 31) >> 2)
const small = Buffer.from('{"some": "file"}\n')
/** `git hash-object` of the same bytes: SHA-1 of "blob SIZE\0" and the content. */
const gitBlob = (bytes: Uint8Array): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex")

interface Hub {
  /** Commit of the branch main. */
  head: string
  /** What is served for the two files instead of their bytes. */
  large?: Uint8Array
  small?: Uint8Array
  /** The login that each address was asked with. */
  readonly logins: string[]
}

/** Answers as the hub does: large files by a redirect to storage, which states SHA-256; others with their Git blob. */
const answer = (hub: Hub, storage: () => string) => (request: IncomingMessage, response: ServerResponse) => {
  const [, revision, name] = /^\/resolve\/([^/]+)\/(.+)$/.exec(request.url ?? "") ?? []
  hub.logins.push(`${name ?? request.url}: ${request.headers.authorization ?? "none"}`)
  const commit = revision === "main" ? hub.head : revision
  const headers = { "x-repo-commit": commit }
  if (name === "large.bin")
    response
      .writeHead(302, {
        ...headers,
        location: `${storage()}/stored`,
        "x-linked-etag": `"${bytesDigest(large)}"`,
        "x-linked-size": large.length,
      })
      .end()
  else if (name === "small.json") {
    const bytes = hub.small ?? small
    response
      .writeHead(200, { ...headers, etag: `"${gitBlob(small)}"`, "content-length": bytes.length })
      .end(bytes)
  } else response.writeHead(404).end()
}

const open = async (t: Test): Promise<{ hub: Hub; place: HubFolder; requests: string[] }> => {
  const hub: Hub = { head: OLD, logins: [] }
  const storage = await startServer((request, response) => {
    hub.logins.push(`storage: ${request.headers.authorization ?? "none"}`)
    serve(request, response, hub.large ?? large)
  })
  const server = await startServer(answer(hub, () => storage.url))
  t.teardown(server.close)
  t.teardown(storage.close)
  const folder = await mkdtemp(join(root, "folder-"))
  return {
    hub,
    requests: server.requests,
    place: {
      folder,
      revision: "main",
      local: (path) => join(folder, path),
      url: (revision, path) => `${server.url}/resolve/${revision}/${path}`,
    },
  }
}
const fast = { backoffMs: 1 }

test("a branch stands for the commit of its first use from then on", async (t) => {
  const { hub, place, requests } = await open(t)
  await fetchHubFile(place, "small.json", { moves: true })
  t.equal(await pinnedCommit(place), OLD)
  hub.head = NEW
  await fetchHubFile(place, "large.bin", {})
  t.same(requests, ["GET /resolve/main/small.json -", `GET /resolve/${OLD}/large.bin -`])
  await fetchHubFile(place, "small.json", { moves: true })
  t.equal(requests.length, 2, "a commit does not move, so what is there is not asked for again")
  t.same(await recordedDigests(place), { "small.json": bytesDigest(small), "large.bin": bytesDigest(large) })
})

test("a login goes to the hub and not to where it sends us", async (t) => {
  const { hub, place } = await open(t)
  process.env["HF_TOKEN"] = "secret"
  t.teardown(() => delete process.env["HF_TOKEN"])
  await fetchHubFile(place, "large.bin", {})
  t.same(hub.logins, ["large.bin: Bearer secret", "storage: none"])
})

test("bytes that are not what the hub states are refused, and nothing is kept", async (t) => {
  const { hub, place } = await open(t)
  hub.large = large.with(1000, large[1000]! ^ 1)
  await t.rejects(fetchHubFile(place, "large.bin", fast), {
    reason: "digest",
    message: new RegExp(`not ${bytesDigest(large)} as the server itself states`),
  } as unknown as Error)
  hub.small = Buffer.from('{"some": "pile"}\n')
  await t.rejects(fetchHubFile(place, "small.json", fast), {
    reason: "digest",
    message: new RegExp(`Git object ${gitBlob(hub.small)}, not ${gitBlob(small)} as the server`),
  } as unknown as Error)
  t.same(await readdir(place.folder), [])
})

test("what is there is held to the digest of its first use, and fetched again where it differs", async (t) => {
  const { place, requests } = await open(t)
  await fetchHubFile(place, "large.bin", {})
  const path = place.local("large.bin")
  await writeFile(path, large.with(7, 255))
  const { "large.bin": recorded } = await recordedDigests(place)
  await t.rejects(requireRecorded(path, recorded), /damaged or altered since. Run `repro prepare`/)
  await fetchHubFile(place, "large.bin", {})
  t.equal(requests.length, 2)
  t.ok((await readFile(path)).equals(large))
})

test("a file that was there before any record is recorded as it is", async (t) => {
  const { place, requests } = await open(t)
  await writeFile(place.local("large.bin"), large)
  await fetchHubFile(place, "large.bin", {})
  t.same([requests.length, await recordedDigests(place)], [0, { "large.bin": bytesDigest(large) }])
})

test("a server that states nothing and changes its file is told by the record", async (t) => {
  let data = large
  const server = await startServer((request, response) => serve(request, response, data, { etag: "" }))
  t.teardown(server.close)
  const folder = await mkdtemp(join(root, "plain-"))
  const place: HubFolder = {
    folder,
    revision: "main",
    local: (path) => join(folder, path),
    url: (revision, path) => `${server.url}/${revision}/${path}`,
  }
  await fetchHubFile(place, "a.bin", {})
  data = large.with(0, 99)
  await rm(place.local("a.bin"))
  await t.rejects(
    fetchHubFile(place, "a.bin", fast),
    /fetched\.json records of its first use; the file changed.*correct the record only if you trust/,
  )
  await writeFile(join(folder, "fetched.json"), "{")
  await t.rejects(
    fetchHubFile(place, "a.bin", fast),
    /fetched\.json: it does not say which files.*move it away/,
  )
})
