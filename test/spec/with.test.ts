import { test } from "tap"
import { composePatches, mergePatch } from "../../src/spec/merge-patch.js"
import { decodeSpec, loadSpec, PROFILES } from "../../src/spec/spec-file.js"
import { SpecError } from "../../src/spec/spec-error.js"

test("a spec with a patch is the spec whose file says so, in every profile", async (t) => {
  for (const profile of PROFILES) {
    const spec = await loadSpec("specs/mdlm_eos.json", profile)
    const changed = spec.with({ training: { seed: 7, emaDecay: 0.99 }, execution: null })
    t.equal(changed.experiment.training.seed, 7)
    t.equal(changed.experiment.training.emaDecay, 0.99)
    t.equal(changed.experiment.execution, undefined)
    t.same(changed.experiment.data, spec.experiment.data)
    t.equal(decodeSpec(changed.text, changed.file, profile).fingerprint, changed.fingerprint)
    t.equal(
      changed.with({ training: { seed: 7 } }),
      changed,
      "a patch that changes nothing gives the spec itself",
    )
    // Another profile of the new file is as before, unless it inherits what was published.
    const other = profile === "paper" ? undefined : decodeSpec(changed.text, changed.file, "paper")
    if (other !== undefined)
      t.equal(other.fingerprint, (await loadSpec("specs/mdlm_eos.json", "paper")).fingerprint)
  }
})

test("a patch that makes an invalid spec is refused", async (t) => {
  const spec = await loadSpec("specs/mdlm_eos.json", "ci")
  t.throws(() => spec.with({ training: { seed: -1 } }), SpecError)
})

test("two patches composed do what both do, one after the other", (t) => {
  const target = { a: 1, b: { c: 2, d: 3 }, e: [1] }
  const pairs: readonly (readonly [unknown, unknown])[] = [
    [{ b: { c: null } }, { b: { c: 4 } }],
    [{ b: { c: 4 } }, { b: { c: null } }],
    [{ a: null }, { b: { d: { f: 1 } } }],
    [{ b: null }, { b: null }],
    [{}, { e: [2], g: { h: null } }],
    [{ g: { h: 1 } }, { g: { i: 2 } }],
  ]
  for (const [first, second] of pairs)
    t.same(
      mergePatch(target, composePatches(first, second)),
      mergePatch(mergePatch(target, first), second),
      JSON.stringify([first, second]),
    )
  t.end()
})
