import { fc } from "../fuzz.js"
import { test } from "tap"
import { editDistance, nearest } from "../../src/spec/nearest.js"

test("edit distance: worked examples", async (t) => {
  // Textbook values: kitten/sitting 3 (Levenshtein); a swap of neighbours is one edit in the alignment variant.
  t.equal(editDistance("kitten", "sitting"), 3)
  t.equal(editDistance("nmae", "name"), 1)
  t.equal(editDistance("", "abc"), 3)
  t.equal(editDistance("abc", "abc"), 0)
})

test("edit distance is symmetric and bounded by the longer word", async (t) => {
  const word = fc.string({ maxLength: 8 })
  fc.assert(
    fc.property(word, word, (a, b) => {
      const distance = editDistance(a, b)
      return (
        distance === editDistance(b, a) &&
        distance <= Math.max(a.length, b.length) &&
        distance >= Math.abs(a.length - b.length) &&
        (distance === 0) === (a === b)
      )
    }),
  )
  t.pass()
})

test("nearest word", async (t) => {
  t.equal(nearest("learning_rate", ["learningRate", "eps"]), "learningRate")
  t.equal(nearest("bidir", ["bidirectional", "causal"]), "bidirectional")
  t.equal(nearest("heds", ["layers", "heads"]), "heads")
  t.equal(nearest("zz", ["layers", "heads"]), undefined)
  t.equal(nearest("", ["a"]), undefined)
})
