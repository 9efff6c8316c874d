/** Windows that are whole documents: which tokens are targets, and where in the split they stand. */
import { test } from "tap"
import { positionsOf, type EvidenceWindows } from "../../src/evaluators/targets.js"
import { windowTensors } from "../../src/evaluators/windows.js"
import { cutWindows, type WindowedData } from "../../src/inference/windows.js"

const [BOUNDARY, SEPARATOR, MASK, PAD] = [20, 21, 22, 23]
// A document without a prompt, one with, an empty one, one that is longer than a row of 6; a tail that no boundary ends.
const split = Uint16Array.from([20, 1, 2, 3, 20, 4, 5, 21, 6, 7, 20, 20, 8, 9, 10, 11, 12, 13, 14, 20, 15])
const tokenizer = {
  id: "t",
  model: "corpus",
  vocabSize: 22,
  boundaryId: BOUNDARY,
  separatorId: SEPARATOR,
  maskId: MASK,
  padId: PAD,
} as const

const cut = (batching: WindowedData["batching"], count = 99) => {
  const windows = cutWindows(
    split,
    { length: 6, count, alignment: "documents" },
    { tokenizer, batching },
    "split",
  )
  const tensors = windowTensors(windows, split, PAD)
  const scored = tensors["scored"]!.data as Int32Array
  const places = positionsOf(
    { ...windows, places: tensors["places"]!.data } as unknown as EvidenceWindows,
    scored,
  )
  return {
    windows,
    scored: Array.from(scored, (i) => windows.tokens[i]!),
    places: [...places],
    following: [...(tensors["following"]!.data as Int32Array)],
  }
}

test("prompts, separators and ends are given; every target stands where its place says", async (t) => {
  for (const separator of ["kept", "dropped"] as const) {
    const { windows, scored, places } = cut({ end: "anchor", separator })
    t.same(scored, [1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14], separator)
    t.same(
      places.map((place) => split[place]),
      scored,
      separator,
    )
    t.same(places, [1, 2, 3, 8, 9, 12, 13, 14, 15, 16, 17, 18], "places in the stream, counted by hand")
    // Rows of 6 with an end have room for 5 tokens, so the document of 7 is two rows.
    t.equal(windows.available, 4)
    t.same([...windows.rows!.lengths], [4, separator === "kept" ? 6 : 5, 6, 3])
    t.same(windows.leftOut, { tokens: split.length - 12, documents: 1, ofDocuments: 5 })
  }
})

test("without an end what follows a row is what follows it in the split", async (t) => {
  const { windows, following, places } = cut({})
  t.same([...windows.rows!.lengths], [3, 5, 6, 1])
  t.same(following, [BOUNDARY, BOUNDARY, 14, BOUNDARY])
  t.equal(places.length, 12)
})

test("a row that is cut loses targets, which are counted as left out; few windows leave the rule's loss alone", async (t) => {
  const { windows, scored } = cut({ end: "anchor", separator: "kept" }, 1)
  t.equal(windows.count, 1)
  t.same(scored, [1, 2, 3])
  t.equal(windows.leftOut!.tokens, split.length - 12, "of the whole split")
  const narrow = cutWindows(
    split,
    { length: 4, count: 99, alignment: "documents" },
    { tokenizer, batching: { end: "anchor" } },
    "split",
  )
  // 4 5 <sep> fill the room of 3: none of 6 and 7 is a target.
  t.equal(narrow.leftOut!.tokens, split.length - 10)
})
