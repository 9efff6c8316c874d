import * as Schema from "effect/Schema"
import t from "tap"
import { contractOf } from "../../../src/evaluators/index.js"
import { canonicalContract, type ContractContext } from "../../../src/metric/contract/builders.js"
import { contractDigest } from "../../../src/metric/contract/digest.js"
import { CONTRACT_CHANGELOG, migrateContract } from "../../../src/metric/contract/migrations.js"
import {
  Contract,
  CONTRACT_VERSION,
  NOT_STATED,
  SEMANTIC_FIELDS,
} from "../../../src/metric/contract/contract.js"

const context: ContractContext = {
  dataset: "fineweb10B_sp1024",
  split: "validation",
  slice: "the first 500 windows",
  coverage: 0.0165,
  tokenizer: { id: "sp1024" },
  boundary: "free",
  denominator: { kind: "constant", bytesPerToken: 4.3, tokens: 1_024_000 },
  eps: 1e-3,
  precision: "bf16",
  seeds: [42],
}
const windows = { length: 2048, count: 500, alignment: "raw-stream" } as const
const elbo = contractOf({ kind: "discrete-elbo", windows, steps: 128, draws: 1, seed: 7 }, context)

t.test("every builder yields a contract that its own schema accepts", (test) => {
  const decode = Schema.decodeUnknownSync(Contract)
  const built = [
    elbo,
    canonicalContract(),
    contractOf({ kind: "any-order", windows, draws: 8, seed: 1 }, context),
    contractOf({ kind: "chain-rule", windows, order: "left-to-right", seed: 1 }, context),
    contractOf({ kind: "sliding", windows, stride: 64, tail: "C" }, context),
    contractOf({ kind: "block-nelbo", windows, block: 64, draws: 4, seed: 1 }, context),
    contractOf({ kind: "importance-weighted", windows, samples: 16, seed: 1 }, context),
    contractOf({ kind: "autoregressive", windows, tail: "C" }, context),
    contractOf({ kind: "autoregressive", windows, stride: 64, tail: "C" }, context),
  ]
  for (const contract of built) test.same(decode(JSON.parse(JSON.stringify(contract))), contract)
  test.equal(new Set(built.map(contractDigest)).size, built.length, "no two of them mean the same")
  test.end()
})

t.test("bound kinds and free positions follow from the evaluation", (test) => {
  test.equal(elbo.bound, "upper-bound")
  test.same(elbo.sideInformation, ["boundary-positions"])
  test.equal(elbo.event, "maskable-targets")
  const causal = contractOf({ kind: "autoregressive", windows, stride: 64, tail: "C" }, context)
  test.equal(causal.bound, "exact")
  test.same(causal.sideInformation, [], "a causal model predicts boundary tokens like any other")
  const documents = contractOf(
    { kind: "any-order", windows: { ...windows, alignment: "document-chunks" }, draws: 1, seed: 0 },
    { ...context, boundary: "maskable" },
  )
  test.same(documents.sideInformation, ["document-lengths"], "PAD tells the receiver the length")
  test.end()
})

t.test("the digest sees meaning and no prose", (test) => {
  const digest = contractDigest(elbo)
  test.match(digest, /^c1:[0-9a-f]{64}$/)
  test.equal(
    contractDigest({ ...elbo, title: "Another title", hazards: ["one"], citations: ["two"] }),
    digest,
  )
  if (typeof elbo.denominator === "string") throw new Error("the builder states the denominator")
  test.equal(
    contractDigest({ ...elbo, denominator: { ...elbo.denominator, source: "elsewhere" } as never }),
    digest,
  )
  const reversed = Object.fromEntries(Object.entries(elbo).reverse()) as typeof elbo
  test.equal(contractDigest(reversed), digest, "key order is no meaning")
  for (const field of SEMANTIC_FIELDS) {
    if (elbo[field] === NOT_STATED) continue
    test.not(contractDigest({ ...elbo, [field]: NOT_STATED }), digest, `${field} is part of the meaning`)
  }
  test.end()
})

t.test("every field may be 'not stated'", (test) => {
  const blank = Object.fromEntries(SEMANTIC_FIELDS.map((field) => [field, NOT_STATED]))
  const contract = Schema.decodeUnknownSync(Contract)({ version: CONTRACT_VERSION, ...blank })
  test.equal(contract.bound, NOT_STATED)
  test.end()
})

t.test("the changelog names every version once, in order", (test) => {
  test.same(
    CONTRACT_CHANGELOG.map((entry) => entry.version),
    Array.from({ length: CONTRACT_VERSION }, (_, i) => i + 1),
  )
  test.same(migrateContract({ ...elbo }), elbo)
  test.throws(() => migrateContract({ ...elbo, version: CONTRACT_VERSION + 1 }), {
    name: "ContractVersionError",
  })
  test.throws(() => migrateContract({ ...elbo, version: undefined }), { name: "ContractVersionError" })
  test.equal(migrateContract("not stated"), "not stated")
  const { specials, ...rest } = elbo
  if (specials === NOT_STATED) throw new Error("the builder states the special tokens")
  test.same(migrateContract({ ...rest, version: 1, ...specials }), elbo, "version 1 had four fields for them")
  const silent = { bos: NOT_STATED, eos: NOT_STATED, pad: NOT_STATED, mask: NOT_STATED }
  test.same(migrateContract({ ...rest, version: 1, ...silent }), { ...elbo, specials: NOT_STATED })
  test.end()
})
