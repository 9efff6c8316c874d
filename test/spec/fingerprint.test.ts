/** Fingerprints: those that were published stay, those of runs rest on the content of the data. */
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import t from "tap"
import type { DataContent } from "../../src/spec/content.js"
import type { Experiment } from "../../src/spec/experiment.js"
import {
  fingerprint,
  isOfWeights,
  runFingerprint,
  strayDigests,
  unstatedFiles,
} from "../../src/spec/fingerprint.js"
import { decodeSpec } from "../../src/spec/spec-file.js"
import { derivedFingerprint, type StoredManifest } from "../run/derived-fingerprint.js"

const root = fileURLToPath(new URL("../..", import.meta.url))
const digest = (letter: string): string => letter.repeat(64)
const content = (train: string, validation: string, tokenizer = "f"): DataContent => ({
  tokenizer: { file: "t.model", sha256: digest(tokenizer) },
  train: [...train].map((letter, i) => ({ file: `t${i}.bin`, sha256: digest(letter) })),
  validation: [...validation].map((letter, i) => ({ file: `v${i}.bin`, sha256: digest(letter) })),
})

// Written by the program before runs had digests of their data in their fingerprints.
void t.test("every spec and profile keeps its fingerprint", async (test) => {
  const golden = JSON.parse(
    await readFile(join(root, "test/spec/fingerprints.golden.json"), "utf8"),
  ) as Record<string, string>
  for (const [name, expected] of Object.entries(golden)) {
    const [file, profile] = name.split("/") as [string, "paper" | "laptop" | "ci"]
    const text = await readFile(join(root, "specs", `${file}.json`), "utf8")
    test.equal(decodeSpec(text, file, profile).fingerprint, expected, name)
  }
})

void t.test("stored runs keep theirs, whatever digests are computed for them now", async (test) => {
  const folder = join(root, "docs/results/evidence")
  for (const name of await readdir(folder)) {
    const text = await readFile(join(folder, name, "manifest.json"), "utf8").catch(() => undefined)
    if (text === undefined) continue
    const stored = JSON.parse(text) as StoredManifest
    if (isOfWeights(stored.fingerprint)) continue
    test.equal(derivedFingerprint(stored), stored.fingerprint, name)
    if (stored.data === undefined)
      test.equal(runFingerprint(stored.experiment, content("ab", "c")), stored.fingerprint, name)
  }
})

const files = async (change: object = {}, tokenizer: object = {}): Promise<Experiment> => {
  const text = await readFile(join(root, "specs/mdlm_eos.json"), "utf8")
  const { experiment } = decodeSpec(text, "mdlm_eos", "paper")
  const corpus = { kind: "files" as const, train: ["file:a", "file:b"], validation: ["file:c"], ...change }
  return {
    ...experiment,
    data: { ...experiment.data, corpus, tokenizer: { ...experiment.data.tokenizer, ...tokenizer } },
  } as Experiment
}

void t.test(
  "a run on files is identified by content: names do not count, order and bytes do",
  async (test) => {
    const spec = await files()
    const own = runFingerprint(spec, content("ab", "c"))
    test.not(own, fingerprint(spec), "a spec without digests does not say what its runs rest on")
    const stated = { "file:a": digest("a"), "file:b": digest("b"), "file:c": digest("c") }
    test.equal(fingerprint(await files({ sha256: stated })), own, "stating the digests changes nothing")
    test.equal(runFingerprint(await files({ sha256: stated }), content("ab", "c")), own)
    const renamed = await files({ train: ["file:z", "file:y"], validation: ["file:x"] })
    test.equal(runFingerprint(renamed, content("ab", "c")), own, "renamed files")
    const others = [content("ba", "c"), content("ab", "d"), content("ad", "c")].map((each) =>
      runFingerprint(spec, each),
    )
    test.equal(new Set([own, ...others]).size, 4, "another order, another byte")
    const model = await files({}, { model: "file:t.model" })
    test.not(
      runFingerprint(model, content("ab", "c", "e")),
      runFingerprint(model, content("ab", "c", "f")),
      "another tokenizer",
    )
  },
)

void t.test("what a hub repository holds is not fixed by its name", async (test) => {
  const text = await readFile(join(root, "specs/mdlm_eos.json"), "utf8")
  const { experiment } = decodeSpec(text, "mdlm_eos", "paper")
  const [a, b] = [content("ab", "c"), content("ab", "d")].map((each) => runFingerprint(experiment, each))
  test.match(a, /^repro-fp1\+data:[0-9a-f]{64}$/)
  test.not(a, b)
  test.not(runFingerprint(experiment, content("ab", "c")), runFingerprint(experiment, content("a", "bc")))
  test.match(unstatedFiles(experiment), [/its revision is no commit/])
})

void t.test("digests that are stated for nothing, and files without one", async (test) => {
  const spec = await files({ sha256: { "file:a": digest("a"), "file:typo": digest("b") } })
  test.same(strayDigests(spec), ["file:typo"])
  test.same(unstatedFiles(spec), ["b", "c"])
})
