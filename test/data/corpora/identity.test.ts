/** Shards that change while they are in use. */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "tap"
import { requireUnchanged } from "../../../src/data/corpora/identity.js"
import { fileDigest } from "../../../src/files/digest.js"

test("a shard that was replaced since the work began is named with both digests", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "repro-identity-"))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const [train, validation] = [join(folder, "train.bin"), join(folder, "val.bin")]
  await writeFile(train, "some training text")
  await writeFile(validation, "some validation text")
  const corpus = {
    train: [train],
    trainDigests: [await fileDigest(train)],
    validation: [validation],
    validationDigests: [await fileDigest(validation)],
  }
  await requireUnchanged(corpus)
  await writeFile(train, "other training text")
  const now = await fileDigest(train)
  await t.rejects(
    requireUnchanged(corpus),
    new RegExp(`train\\.bin: it changed while it was in use: .*${corpus.trainDigests[0]}.*${now}`),
  )
  await requireUnchanged(corpus, [validation])
  await writeFile(validation, "other validation text")
  await t.rejects(requireUnchanged(corpus, [validation]), /val\.bin: it changed/)
})
