/** Permutations of NumPy 2.4.6, numpy.random.default_rng(seed).permutation(n). */
import t from "tap"
import { hubSplit, numpyPermutation } from "../../../src/data/rows/numpy-permutation.js"

t.test("NumPy's permutation", (t) => {
  t.same([...numpyPermutation(2025, 10)], [2, 3, 0, 9, 1, 4, 5, 8, 7, 6])
  t.same(
    [...numpyPermutation(7, 23)],
    [15, 4, 18, 3, 14, 12, 10, 0, 19, 17, 8, 7, 1, 21, 13, 6, 16, 5, 22, 20, 2, 9, 11],
  )
  const large = numpyPermutation(2025, 100_000)
  t.same([...large.subarray(0, 5)], [87308, 19047, 20670, 27013, 74490])
  t.equal(large[5000], 46545)
  t.equal(
    large.subarray(0, 5000).reduce((a, b) => a + b, 0),
    248_412_888,
  )
  t.same([...numpyPermutation(1, 0)], [])
  t.end()
})

t.test("the published hold-out: the first ceil(share n) of the permutation", (t) => {
  const { heldOut, firstTrain, firstHeldOut } = hubSplit(10, { share: 0.25, seed: 2025 })
  t.same(
    [...heldOut.keys()].filter((i) => heldOut[i] === 1),
    [0, 2, 3],
  )
  t.same([firstTrain, firstHeldOut], [9, 2])
  t.end()
})
