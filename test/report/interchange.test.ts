import t from "tap"
import { readEveryEvalEver, writeEveryEvalEver } from "../../src/report/interchange/every-eval-ever.js"
import { isLmEval, readLmEval } from "../../src/report/interchange/lm-eval.js"
import { writeRunCrate } from "../../src/report/interchange/run-crate.js"
import type { ResultsTable } from "../../src/analysis/table.js"
import { contractDigest } from "../../src/metric/contract/digest.js"
import { canonicalContract } from "../../src/metric/contract/builders.js"
import { resolveClaims } from "../../src/spec/claim.js"
import { rescoreClaim } from "../../src/audit/rescore-claim.js"
import { SpecError } from "../../src/spec/spec-error.js"

/** The shape of a harness results file, with made-up values. */
const harness = {
  results: {
    gsm8k: {
      alias: "gsm8k",
      "exact_match,strict-match": 0.5,
      "exact_match_stderr,strict-match": 0.0138,
      "exact_match,flexible-extract": 0.52,
      "exact_match_stderr,flexible-extract": 0.0138,
    },
    wikitext: {
      alias: "wikitext",
      "word_perplexity,none": 20.5,
      "bits_per_byte,none": 0.81,
      "bits_per_byte_stderr,none": "N/A",
    },
  },
  "n-shot": { gsm8k: 5, wikitext: 0 },
  "n-samples": { gsm8k: { original: 1319, effective: 100 }, wikitext: { original: 62, effective: 62 } },
  versions: { gsm8k: 3, wikitext: 2 },
  configs: {
    gsm8k: {
      dataset_path: "openai/gsm8k",
      test_split: "test",
      output_type: "generate_until",
      num_fewshot: 5,
    },
    wikitext: {
      dataset_path: "EleutherAI/wikitext_document_level",
      test_split: "test",
      output_type: "loglikelihood_rolling",
    },
  },
  config: { model: "hf", model_args: "pretrained=some/model", random_seed: 0, model_dtype: "torch.bfloat16" },
  git_hash: "abcdef0",
  model_name: "some/model",
}

t.test("lm-evaluation-harness results become claims that state what the file states", (test) => {
  test.ok(isLmEval(harness))
  const claims = resolveClaims(readLmEval(harness, "results.json"), "results.json")
  test.same(
    claims.map(({ id, value }) => [id, value]),
    [
      ["gsm8k-exact_match-strict-match", 0.5],
      ["gsm8k-exact_match-flexible-extract", 0.52],
      ["wikitext-word_perplexity", 20.5],
      ["wikitext-bits_per_byte", 0.81],
    ],
  )
  const [strict, , words, bpb] = claims
  test.equal(strict?.standardError, 0.0138)
  test.match(strict?.contract, {
    quantity: "accuracy",
    unit: "proportion",
    estimator: { kind: "graded-generation", shots: 5, attempts: 1 },
    denominator: { kind: "items", items: 100 },
    data: { dataset: "openai/gsm8k", split: "test" },
    precision: "bf16",
    seeds: [0],
  })
  const data = strict?.contract.data
  // derived: 100 of 1319 items
  test.equal(data === undefined || data === "not stated" ? undefined : data.coverage, 100 / 1319)
  test.equal(bpb?.contract.bound, "unknown", "the file does not say whether the likelihood is exact")
  test.match(words?.contract.tokenizer, { id: "whitespace words" })
  test.equal(rescoreClaim(strict!)?.number?.value, 0.5)
  test.equal(rescoreClaim(bpb!)?.number?.kind, "unknown")
  test.end()
})

t.test("a file of another form is refused with a pointer", (test) => {
  for (const [value, pointer] of [
    [{}, "/results"],
    [{ results: { task: { alias: "x" } } }, "/results"],
  ] as const)
    test.throws(() => readLmEval(value, "f.json"), { name: "SpecError", problems: [{ pointer }] })
  test.throws(() => readEveryEvalEver({ evaluation_results: [{}] }, "f.json"), SpecError)
  test.end()
})

const table: ResultsTable = {
  format: "repro-table",
  version: 1,
  header: { experiment: "mdlm_eos", title: "T", profile: "ci", run: "r", fingerprint: "fp", verdict: [] },
  rows: [
    {
      id: "elbo",
      group: "result",
      label: "NELBO T=32",
      contractId: "c1:aa",
      quantity: "negative-log-likelihood",
      unit: "bits/byte",
      value: 2.5,
      boundKind: "upper-bound",
      interval: { low: 2.4, high: 2.6, level: 0.95, method: "bootstrap over windows" },
      denominator: { kind: "byte-table", total: 1000, unit: "bytes" },
      estimator: "discrete-elbo",
      tokens: 400,
      bytes: 1000,
      notes: [],
      mark: null,
    },
    {
      id: "claim",
      group: "claim",
      label: "a published claim",
      contractId: null,
      quantity: "negative-log-likelihood",
      unit: "bits/byte",
      value: 1,
      boundKind: "unknown",
      interval: null,
      denominator: null,
      estimator: null,
      tokens: null,
      bytes: null,
      notes: [],
      mark: null,
    },
  ],
  contracts: { "c1:aa": { data: { dataset: "speeches" } } },
}
const file = (path: string) => ({
  path,
  bytes: 3,
  sha256: "0".repeat(64),
  description: "d",
  mediaType: "application/json",
})

const identity = {
  id: "r",
  spec: "mdlm_eos",
  started: "2026-01-02T03:04:05.000Z",
  program: "0.1.0",
  executor: { name: "onnxruntime", version: "1" },
  model: "mdlm_eos-ci",
}

t.test("a run's record holds its values and nothing that it did not measure", (test) => {
  const record = writeEveryEvalEver(table, identity)
  // The required keys of the published schema, version 0.2.1.
  for (const key of [
    "schema_version",
    "evaluation_id",
    "retrieved_timestamp",
    "source_metadata",
    "model_info",
    "eval_library",
    "evaluation_results",
  ])
    test.ok(Object.hasOwn(record, key), key)
  test.match(record, {
    retrieved_timestamp: "1767323045",
    source_metadata: { source_type: "evaluation_run", evaluator_relationship: "other" },
    evaluation_results: [
      {
        evaluation_name: "NELBO T=32",
        source_data: { dataset_name: "speeches", source_type: "other" },
        metric_config: {
          lower_is_better: true,
          score_type: "continuous",
          min_score: 0,
          additional_details: { bound: "upper-bound" },
        },
        score_details: {
          score: 2.5,
          uncertainty: { confidence_interval: { lower: 2.4, upper: 2.6, confidence_level: 0.95 } },
        },
      },
    ],
  })
  test.equal((record["evaluation_results"] as unknown[]).length, 1)
  test.same(writeEveryEvalEver(table, identity), record, "equal tables give equal records")
  const back = readEveryEvalEver(record, "record.json")
  test.same(
    back.claims.map(({ value }) => value),
    [2.5],
  )
  test.end()
})

t.test("a record of this program reads back as what it says", (test) => {
  const [claim] = resolveClaims(
    readEveryEvalEver(writeEveryEvalEver(table, identity), "record.json"),
    "record.json",
  )
  test.match(claim?.contract, {
    quantity: "negative-log-likelihood",
    unit: "bits/byte",
    bound: "upper-bound",
    data: { dataset: "speeches" },
  })
  test.equal(rescoreClaim(claim!)?.definition, "bpb")
  // With a whole contract in the table, the whole contract comes back.
  const contract = { ...canonicalContract(), bound: "upper-bound" as const }
  const whole = { ...table, contracts: { "c1:aa": contract } }
  const [back] = resolveClaims(
    readEveryEvalEver(writeEveryEvalEver(whole, identity), "record.json"),
    "record.json",
  )
  test.equal(contractDigest(back!.contract), contractDigest(contract))
  // Words that are no unit, bound or quantity state nothing; a contract that is none is left out.
  const record = writeEveryEvalEver(table, identity) as { evaluation_results: { metric_config: object }[] }
  record.evaluation_results[0]!.metric_config = {
    evaluation_description: "bits_per_byte",
    additional_details: { unit: "furlongs", bound: 7, quantity: "x", contract_json: '{"version": 99}' },
  }
  const [other] = resolveClaims(readEveryEvalEver(record, "record.json"), "record.json")
  test.match(other?.contract, { unit: "bits/byte", bound: "unknown", quantity: "negative-log-likelihood" })
  test.end()
})

t.test("a run crate links spec, run and results; every reference leads to an entity", (test) => {
  const crate = writeRunCrate({
    id: "r",
    title: "T",
    description: "D",
    profile: "ci",
    fingerprint: "fp",
    started: identity.started,
    ended: "2026-01-02T04:00:00.000Z",
    program: { version: "0.1.0" },
    executor: identity.executor,
    spec: file("mdlm_eos.json"),
    files: [file("run/results.json")],
    source: { title: "PR", url: "https://github.com/openai/parameter-golf/pull/1241" },
  })
  const graph = crate["@graph"] as Record<string, unknown>[]
  const ids = new Set(graph.map((entity) => entity["@id"]))
  test.equal(ids.size, graph.length, "ids are unique")
  const dangling: unknown[] = []
  const look = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(look)
    if (typeof value !== "object" || value === null) return
    const entries = Object.entries(value)
    if (entries.length === 1 && entries[0]![0] === "@id") {
      const id = String(entries[0]![1])
      if (!ids.has(id) && id !== "https://w3id.org/ro/crate/1.1") dangling.push(id)
    } else for (const [, inner] of entries) look(inner)
  }
  for (const entity of graph)
    for (const [key, value] of Object.entries(entity)) if (key !== "@id") look(value)
  test.same(dangling, [])
  const action = graph.find((entity) => entity["@type"] === "CreateAction")
  test.match(action, { instrument: { "@id": "mdlm_eos.json" }, endTime: "2026-01-02T04:00:00.000Z" })
  const root = graph.find((entity) => entity["@id"] === "./")
  test.match(root, { mainEntity: { "@id": "mdlm_eos.json" }, mentions: { "@id": "#run" } })
  test.end()
})
