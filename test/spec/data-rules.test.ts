import { readFile } from "node:fs/promises"
import { test } from "tap"
import { brokenRules } from "../../src/spec/rules.js"
import { SpecError } from "../../src/spec/spec-error.js"
import { decodeSpec } from "../../src/spec/spec-file.js"

const base = JSON.parse(await readFile("specs/mdlm_eos.json", "utf8")) as Record<string, unknown> & {
  readonly data: Record<"corpus" | "tokenizer" | "batching", Record<string, unknown>>
}

/** The published experiment with other data, and the rules that it then breaks. */
const broken = (change: Partial<Record<"corpus" | "tokenizer" | "batching", Record<string, unknown>>>) =>
  brokenRules({
    ...base,
    data: {
      corpus: change.corpus ?? base.data.corpus,
      tokenizer: { ...base.data.tokenizer, ...change.tokenizer },
      batching: { ...base.data.batching, ...change.batching },
    },
  }).map(({ pointer, expected, hint = "" }) => `${pointer}: ${expected}. ${hint}`)

const generated = {
  kind: "generated",
  task: { kind: "star", level: "easy" },
  seed: 1,
  trainItems: 10,
  validationItems: 5,
}

test("the published data break no rule", async (t) => t.same(broken({}), []))

test("PAD that is the end token is refused once, with the cure", async (t) => {
  const found = broken({ tokenizer: { padId: 1 } })
  t.equal(found.length, 1)
  t.match(found[0], /^\/data\/tokenizer\/padId: an id other than boundaryId.*<\|pad\|>/)
})

test("rows of documents: their fields stand with them alone, and full-row objectives refuse them", async (t) => {
  t.match(broken({ batching: { end: "anchor" } }), [/^\/data\/batching\/end: nothing/])
  t.match(broken({ batching: { kind: "documents", end: "anchor" } }), [
    /^\/data\/batching\/kind: "document-chunks".*masked-diffusion.*length of a row/,
  ])
  t.match(broken({ tokenizer: { separatorId: 1 } }), [
    /^\/data\/tokenizer\/separatorId: .*other than boundaryId/,
  ])
})

test("generated data come with their own tokenizer, whose ids the spec writes", async (t) => {
  const ids = { model: "corpus", vocabSize: 22, boundaryId: 20, separatorId: 21, maskId: 22, padId: 23 }
  t.same(broken({ corpus: generated, tokenizer: ids }), [])
  t.match(broken({ corpus: generated, tokenizer: { ...ids, model: "embedded" } }), [
    /^\/data\/tokenizer\/model: "corpus" for generated data/,
  ])
  t.match(broken({ corpus: generated, tokenizer: { ...ids, boundaryId: 19 } }), [
    /^\/data\/tokenizer\/boundaryId: 20, as the tokenizer of "star" has it/,
  ])
  const text = (task: unknown) =>
    JSON.stringify({
      ...base,
      data: { ...base.data, corpus: { ...generated, task }, tokenizer: { ...base.data.tokenizer, ...ids } },
    })
  const problemsOf = (task: unknown) => {
    try {
      decodeSpec(text(task), "specs/mdlm_eos.json", "paper")
    } catch (error) {
      if (error instanceof SpecError) return error.problems
      throw error
    }
    return []
  }
  t.match(problemsOf({ kind: "strr", level: "easy" }), [{ pointer: "/data/corpus/task/kind" }])
  t.match(problemsOf({ kind: "star" }), [{ pointer: "/data/corpus/task/level" }])
  t.match(problemsOf({ kind: "star", level: "esy" }), [
    { pointer: "/data/corpus/task/level", nearest: /easy/ },
  ])
})
