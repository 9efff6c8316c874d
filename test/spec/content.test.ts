import t from "tap"
import { contentChanges, contentNotices, type DataContent } from "../../src/spec/content.js"

const files = (names: readonly string[]) =>
  names.map((name) => {
    const [file, letter] = name.split("=") as [string, string]
    return { file, sha256: letter.repeat(64) }
  })
const content = (train: readonly string[], validation: readonly string[]): DataContent => ({
  tokenizer: files(["t=f"])[0]!,
  train: files(train),
  validation: files(validation),
})

t.test("changes name the file and both digests; names alone are no change", (test) => {
  const before = content(["a=1", "b=2"], ["v=3"])
  test.same(contentChanges(before, content(["x=1", "y=2"], ["z=3"])), [])
  test.match(contentChanges(before, content(["a=1", "b=4"], ["v=3"])), [
    /^training shard b had sha256 2{64}, has 4{64}$/,
  ])
  test.match(contentChanges(before, content(["b=2", "a=1"], ["v=3"])), [
    /training shards are in another order: a, b, now b, a$/,
  ])
  test.match(contentChanges(before, content(["a=1"], ["v=3", "w=5"])), [
    /training shard b .* is no longer there/,
    /validation shard w .* was not there/,
  ])
  test.end()
})

t.test("notices: listed twice, twice under two names, validation in training whole and in part", (test) => {
  test.same(contentNotices(content(["a=1", "b=2"], ["v=3"])), [])
  test.match(contentNotices(content(["a=1", "a=1"], ["v=3"])), [/^The training shard a is listed 2 times/])
  test.match(contentNotices(content(["a=1"], ["v=3", "w=3"])), [
    /^The validation shards v and w have the same/,
  ])
  test.match(contentNotices(content(["a=1", "b=3"], ["v=3"])), [
    /^Validation text is in the training split: v \(as b\) is in both; floors .* fitted on text that is scored/,
  ])
  const overlap = { block: 64, blocks: 8, shared: 2, looked: 100, trainTokens: 400 }
  test.match(contentNotices({ ...content(["a=1"], ["v=3"]), overlap }), [
    /2 of 8 blocks of 64 validation tokens \(25\.00 %\) stand word for word in the first 100 tokens/,
  ])
  test.same(contentNotices({ ...content(["a=1"], ["v=3"]), overlap: { ...overlap, shared: 0 } }), [])
  test.end()
})
