/** The test set that generations are graded with: named by its source and known by its digest, never guessed. */
import { basename, join } from "node:path"
import { fileDigest } from "../files/digest.js"
import { download } from "../files/download.js"
import { DataError } from "../files/errors.js"
import type { OnPrepareEvent } from "../files/events.js"
import { cacheDirectory, hubHeaders, hubUrl, isPresent, parseSource } from "../files/sources.js"
import { readText } from "./generations/bytes.js"
import type { PublishedSet, Task } from "./task.js"
import { makeFolder } from "../files/folder.js"

export interface TestSet {
  readonly items: readonly unknown[]
  readonly name: string
  readonly split: string | undefined
  readonly sha256: string
  /** Its digest is that of the published set. */
  readonly published: boolean
}

export interface TestSetRequest {
  /** `published`, hf:OWNER/REPOSITORY@REVISION/PATH, https://... or file:PATH */
  readonly source: string
  /** Digest of a set that is not the published one. */
  readonly sha256?: string | undefined
  /** What lies in the cache alone is read. */
  readonly offline?: true
  readonly onEvent?: OnPrepareEvent
  readonly signal?: AbortSignal
}

const HUB = /^(hf:[^@/]+\/[^@/]+)@([^/]+)\/(.+)$/

const remote = (
  source: string,
): { readonly url: string; readonly headers?: Record<string, string> } | undefined => {
  const hub = HUB.exec(source)
  const parsed = parseSource(hub?.[1] ?? source)
  if (parsed.kind === "https") return { url: parsed.url }
  if (parsed.kind !== "hf") return undefined
  if (hub === null)
    throw new DataError(
      "invalid",
      source,
      "a hub source of a test set names revision and file: hf:OWNER/REPOSITORY@REVISION/PATH.jsonl.",
    )
  return { url: hubUrl(parsed.repository, hub[2]!, hub[3]!), headers: hubHeaders() }
}

const unlike = (subject: string, found: string, published: PublishedSet): DataError =>
  new DataError(
    "digest",
    subject,
    `its SHA-256 is ${found}; the published ${published.name} has ${published.sha256}. Give --sha256 ${found} if this is the set you mean; the table then says that it is another one.`,
  )

/** @throws DataError naming the source, what was found and the cure */
export const loadTestSet = async (task: Task, request: TestSetRequest): Promise<TestSet> => {
  const { published } = task
  if (published === undefined)
    throw new DataError(
      "invalid",
      request.source,
      `the items of ${task.title} are generated, and it has no test set: the files say themselves what they are about; leave --data out.`,
    )
  const { source, sha256, onEvent, signal, offline } = request
  const expected = sha256 ?? published.sha256
  const from = source === "published" ? { url: published.url } : remote(source)
  let path: string
  if (from !== undefined) {
    path = join(
      cacheDirectory(),
      "tasks",
      task.id,
      `${expected.slice(0, 16)}-${basename(new URL(from.url).pathname)}`,
    )
    if (await isPresent(path, expected)) onEvent?.({ kind: "reused", path })
    else if (offline === true)
      throw new DataError(
        "missing",
        path,
        `the test set ${from.url} is not there; run \`repro prepare\` first.`,
      )
    else {
      await makeFolder(join(path, ".."))
      await download({
        ...from,
        path,
        sha256: expected,
        ...(onEvent === undefined ? {} : { onEvent }),
        ...(signal === undefined ? {} : { signal }),
      })
    }
  } else {
    const parsed = parseSource(source)
    if (parsed.kind !== "file")
      throw new DataError("invalid", source, "a test set comes from hf:, https: or file:, or is `published`.")
    path = parsed.path
    const found = await fileDigest(path)
    if (found !== expected) throw unlike(path, found, published)
  }
  if (path.endsWith(".parquet"))
    throw new DataError("invalid", source, "it is a Parquet file; export it as JSON lines first.")
  const parts: string[] = []
  for await (const part of readText(path)) parts.push(part)
  const items = task.items(parts.join(""), path)
  if (items.length === 0) throw new DataError("invalid", path, "it holds no items.")
  const same = expected === published.sha256
  return {
    items,
    name: same ? published.name : basename(path),
    split: same ? published.split : undefined,
    sha256: expected,
    published: same,
  }
}
