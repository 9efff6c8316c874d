/** Reads `results_*.json` of lm-evaluation-harness as claims. Nothing is assumed that the file does not say. */
import { NOT_STATED, type Contract } from "../../metric/contract/contract.js"
import { ClaimsFile, valueConflict } from "../../spec/claim.js"
import { decodeValue } from "../../spec/decode.js"
import {
  at,
  badScore,
  count,
  finite,
  identifier,
  isObject,
  refuse,
  SILENTLY,
  text,
  uniquely,
  type Json,
  type Remark,
} from "./foreign.js"
import { contractOfMetric, type PerplexityEvent } from "./metrics.js"

/**
 * Whether a JSON value looks like a results file of the harness: tasks with their metrics, beside `configs` (0.4) or
 * `versions` and `config` (0.3).
 */
export const isLmEval = (value: unknown): boolean =>
  isObject(at(value, "results")) &&
  (isObject(at(value, "configs")) || isObject(at(value, "versions")) || isObject(at(value, "config")))

/** The layout of 0.3 has no configuration per task. */
const isOldLayout = (document: unknown): boolean => !isObject(at(document, "configs"))

/** The harness takes the exponential of the mean over items of the log-likelihood of an item's whole target. */
const perplexityEvent = (document: unknown, task: string): PerplexityEvent | undefined =>
  /lambada/i.test(task) || text(at(document, "configs", task, "output_type")) === "loglikelihood"
    ? "target"
    : undefined

/** Standard error of a metric, under the keys of either layout. */
const errorOf = (scores: Json, metric: string, filter: string): number | undefined =>
  finite(scores[`${metric}_stderr,${filter}`]) ?? finite(scores[`${metric}_stderr`])

const contractOf = (document: unknown, task: string, metric: string, filter: string): Contract => {
  const base = contractOfMetric(metric, perplexityEvent(document, task))
  const config = at(document, "configs", task)
  const items = count(at(document, "n-samples", task, "effective"))
  const original = count(at(document, "n-samples", task, "original"))
  const shots =
    finite(at(document, "n-shot", task)) ??
    finite(at(config, "num_fewshot")) ??
    finite(at(document, "config", "num_fewshot"))
  const seed = finite(at(document, "config", "random_seed"))
  const dtype = text(at(document, "config", "model_dtype"))
  const precision = (["fp32", "bf16", "fp16"] as const).find(
    (name) => dtype?.includes({ fp32: "float32", bf16: "bfloat16", fp16: "float16" }[name]) === true,
  )
  const graded = base.quantity === "accuracy" || base.quantity === "pass-rate"
  return {
    ...base,
    title: `${task}, ${metric}${filter === "none" ? "" : `, filter ${filter}`}`,
    ...(graded
      ? {
          estimator: {
            kind: "graded-generation",
            attempts: metric.startsWith("pass@") ? (count(Number(metric.slice(5))) ?? NOT_STATED) : 1,
            samplingSteps: NOT_STATED,
            shots: shots !== undefined && Number.isSafeInteger(shots) && shots >= 0 ? shots : NOT_STATED,
            decoding: text(at(config, "output_type")) ?? NOT_STATED,
          } as const,
          denominator: {
            kind: "items",
            items: items ?? NOT_STATED,
            source: "n-samples of the results file",
          } as const,
          grader: `lm-evaluation-harness, ${metric}, filter ${filter}, task version ${String(at(document, "versions", task) ?? NOT_STATED)}`,
        }
      : base.event === "task-items" && base.unit === "ppl"
        ? {
            denominator: {
              kind: "items",
              items: items ?? NOT_STATED,
              source: "target words, one per item; n-samples of the results file",
            } as const,
          }
        : {}),
    data: {
      dataset: text(at(config, "dataset_path")) ?? task,
      split: text(at(config, "test_split")) ?? text(at(config, "validation_split")) ?? NOT_STATED,
      slice: NOT_STATED,
      coverage:
        items !== undefined && original !== undefined && items <= original ? items / original : NOT_STATED,
      export: NOT_STATED,
    },
    precision: precision ?? NOT_STATED,
    seeds: seed !== undefined && Number.isSafeInteger(seed) && seed >= 0 ? [seed] : NOT_STATED,
  }
}

/** The claims of a results file; throws SpecError with a pointer where the file is not one. */
export const readLmEval = (document: unknown, file: string, remark: Remark = SILENTLY): ClaimsFile => {
  const results = at(document, "results")
  if (!isObject(results)) return refuse(file, "/results", "an object of tasks", "nothing")
  const model = text(at(document, "model_name")) ?? text(at(document, "config", "model_args")) ?? NOT_STATED
  const commit = text(at(document, "git_hash"))
  const unique = uniquely()
  const contracts: Record<string, Contract> = {}
  const claims: unknown[] = []
  const left: string[] = []
  const leave = (task: string, key: string, why: string): void => {
    left.push(`${task}, ${key}: ${why}`)
    remark(`${file}: the score at /results/${task}/${key} is left out: ${why}.`)
  }
  for (const [task, scores] of Object.entries(results)) {
    if (!isObject(scores)) continue
    for (const [key, score] of Object.entries(scores)) {
      const [metric = key, filter = "none"] = key.split(",")
      if (metric.endsWith("_stderr") || metric === "alias" || metric === "sample_len") continue
      const bad = badScore(score)
      if (bad !== undefined) leave(task, key, bad)
      const value = finite(score)
      if (value === undefined) continue
      const contract = contractOf(document, task, metric, filter)
      const wanted = valueConflict(contract.unit, value)
      if (wanted !== undefined) {
        leave(task, key, `${value} is not ${wanted}, as its unit is ${contract.unit}`)
        continue
      }
      const id = unique(identifier(task, metric, ...(filter === "none" ? [] : [filter])))
      const stderr = errorOf(scores, metric, filter)
      contracts[id] = contract
      claims.push({
        id,
        title: `${task}, ${metric}`,
        model,
        printed: String(value),
        value,
        exact: true,
        ...(stderr === undefined || stderr < 0 ? {} : { standardError: stderr }),
        mark: "stated",
        place: { file, row: task, column: key },
        contract: id,
        hardware: NOT_STATED,
      })
    }
  }
  if (claims.length === 0)
    refuse(file, "/results", "at least one task with a numeric score", left[0] ?? "none")
  return decodeValue(
    ClaimsFile,
    {
      source: {
        title: `lm-evaluation-harness results of ${model}${isOldLayout(document) ? ", layout of 0.3" : ""}`,
        url: file,
        ...(commit === undefined ? {} : { commit }),
      },
      contracts,
      claims,
    },
    file,
  )
}
