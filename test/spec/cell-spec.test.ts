import { readFile } from "node:fs/promises"
import { test } from "tap"
import { cellSpecs } from "../../src/spec/cell-spec.js"
import { mergePatch } from "../../src/spec/merge-patch.js"
import { decodeSpec, loadSpec, type Profile } from "../../src/spec/spec-file.js"

const file = "specs/ablation_heads.json"
const text = await readFile(file, "utf8")

for (const profile of ["paper", "laptop", "ci"] as const satisfies readonly Profile[]) {
  test(`${profile}: a cell is the plain experiment with the same values, and runs from its own text`, (t) => {
    const cells = cellSpecs(decodeSpec(text, file, profile))
    t.ok(cells.length > 0)
    t.equal(new Set(cells.map(({ spec }) => spec.fingerprint)).size, cells.length, "no two are equal")
    for (const { cell, spec } of cells) {
      // The same values written by hand into the spec, with the sweep still in it.
      const change = { model: { heads: cell.settings[0]?.value }, training: { seed: cell.runSeed } }
      const document = JSON.parse(text) as { profiles: object }
      const edited =
        profile === "paper"
          ? mergePatch(document, change)
          : mergePatch(document, { profiles: { [profile]: change } })
      const plain = decodeSpec(JSON.stringify(edited), file, profile)
      t.same(spec.experiment, plain.experiment, cell.name)
      t.equal(spec.fingerprint, plain.fingerprint)
      const again = decodeSpec(spec.text, "cell.json", profile)
      t.equal(again.fingerprint, spec.fingerprint)
      t.equal(again.sweep, undefined, "a cell is no sweep")
      t.same(again.differences, spec.differences)
    }
    t.end()
  })
}

/** Where the first laptop cell differs from what was published, when the laptop sweeps these head counts. */
const differingPointers = (values: readonly number[]): readonly string[] => {
  const sweep = { grid: [{ name: "heads", pointer: "/model/heads", values }] }
  const edited = mergePatch(JSON.parse(text), { profiles: { laptop: { sweep } } })
  const [first] = cellSpecs(decodeSpec(JSON.stringify(edited), file, "laptop"))
  return first!.spec.differences.map(({ pointer }) => pointer)
}

test("a value that the published sweep has is no difference from it; another one is", (t) => {
  t.notOk(differingPointers([2]).some((at) => at === "/model/heads" || at === "/training/seed"))
  t.ok(differingPointers([64]).includes("/model/heads"))
  t.end()
})

test("a spec without a sweep has no cells", async (t) => {
  t.same(cellSpecs(await loadSpec("specs/mdlm_eos.json", "ci")), [])
})
