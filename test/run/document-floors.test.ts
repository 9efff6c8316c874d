/** Floors of whole documents: the ends are charged, and a known source says what no code falls below. */
import { test } from "tap"
import { documentEnds, sourceBits } from "../../src/run/document-floors.js"
import type { Experiment } from "../../src/spec/experiment.js"
import {
  balancedWord,
  BALANCED_LENGTHS,
  bracketEntropy,
  bracketNats,
  drawLength,
} from "../../src/tasks/brackets/words.js"
import { drawsOf } from "../../src/tasks/generated.js"

const [BOUNDARY, SEPARATOR, PAD] = [2, 3, 5]
const marks = { boundaryId: BOUNDARY, separatorId: SEPARATOR }
// ()  and  (())  between boundaries, as rows of 4.
const split = Uint16Array.from([2, 0, 1, 2, 0, 0, 1, 1, 2])
const windows = {
  count: 2,
  length: 4,
  starts: Int32Array.from([1, 4]),
  tokens: Int32Array.from([0, 1, PAD, PAD, 0, 0, 1, 1]),
  places: Int32Array.from([1, 2, -1, -1, 4, 5, 6, 7]),
}
const targets = Int32Array.from([0, 1, 4, 5, 6, 7])
const data = (task: object) =>
  ({
    corpus: { kind: "generated", task, seed: 1, trainItems: 1, validationItems: 2 },
    tokenizer: { boundaryId: BOUNDARY },
  }) as unknown as Experiment["data"]
const balanced = data({ kind: "brackets", words: "balanced" })

test("the boundary behind each whole document is its end", async (t) => {
  t.same([...documentEnds(windows, split, marks)], [3, 8])
  t.same([...documentEnds(windows, split.with(3, 1), marks)], [8], "a document that goes on has no end there")
  const { places: _, ...chunks } = windows
  t.same([...documentEnds(chunks, split, marks)], [], "windows that are no documents")
  // Prompts without a target, one of no tokens; rows leave the separator out.
  const empty = Uint16Array.from([2, 0, 1, 3, 2, 3, 2, 0, 3, 1, 2])
  const rows = { count: 3, length: 2, starts: Int32Array.from([1, 5, 7]) }
  const places = Int32Array.from([1, 2, -1, -1, 7, 9])
  t.same([...documentEnds({ ...rows, places }, empty, marks)], [4, 6, 10])
  const cut = Int32Array.from([1, -1, -1, -1, 7, -1])
  t.same(
    [...documentEnds({ ...rows, places: cut }, empty, marks)],
    [6],
    "rows that are cut before their ends have none",
  )
})

test("the source's own code of two balanced words", async (t) => {
  // P(length 2) = .1 with one word, P(length 4) = .2 with two.
  const bits = sourceBits(windows, targets, split, balanced)!
  t.ok(Math.abs(bits - (-Math.log2(0.1) - Math.log2(0.2 / 2))) < 1e-12, `${bits}`)
  t.equal(sourceBits(windows, targets, split, data({ kind: "star", level: "easy" })), 0, "one path")
  t.equal(sourceBits(windows, targets, split, data({ kind: "word-problems" })), undefined)
  t.equal(sourceBits(windows, targets, split.with(3, 1), balanced), undefined, "a part of a document")
})

test("over many words the mean is the entropy", async (t) => {
  const count = 4000
  let sum = 0
  for (let k = 0; k < count; k++) {
    const draws = drawsOf(3, "train", k)
    sum += bracketNats(BALANCED_LENGTHS, balancedWord(drawLength(BALANCED_LENGTHS, draws), draws), "balanced")
  }
  // The standard deviation of one word's nats is about 2.5: four standard errors.
  t.ok(Math.abs(sum / count - bracketEntropy(BALANCED_LENGTHS, true)) < (4 * 2.5) / Math.sqrt(count))
  t.equal(bracketNats(BALANCED_LENGTHS, [1, 0], "balanced"), Number.POSITIVE_INFINITY)
})
