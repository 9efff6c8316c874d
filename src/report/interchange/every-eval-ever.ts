/** Every-Eval-Ever records (schema 0.2): read as claims, written for a run. */
import { createHash } from "node:crypto"
import * as Schema from "effect/Schema"
import { BOUNDS, QUANTITIES, UNITS } from "../../metric/contract/fields.js"
import { ContractVersionError, migrateContract } from "../../metric/contract/migrations.js"
import { Contract, NOT_STATED } from "../../metric/contract/contract.js"
import { ClaimsFile, valueConflict } from "../../spec/claim.js"
import { decodeValue } from "../../spec/decode.js"
import type { ResultsTable, TableRow } from "../../analysis/table.js"
import {
  at,
  badScore,
  count,
  finite,
  identifier,
  refuse,
  SILENTLY,
  text,
  uniquely,
  type Remark,
} from "./foreign.js"
import { contractOfMetric, lowerIsBetter, type PerplexityEvent } from "./metrics.js"

export const EVERY_EVAL_EVER_VERSION = "0.2.1"

/** Whether a JSON value looks like a record. */
export const isEveryEvalEver = (value: unknown): boolean =>
  typeof at(value, "schema_version") === "string" && Array.isArray(at(value, "evaluation_results"))

const isContract = Schema.is(Contract)

/** The whole contract that a record of this program carries, if it is one that this program still reads. */
const carriedContract = (details: unknown): Contract | undefined => {
  const json = text(at(details, "contract_json"))
  if (json === undefined) return undefined
  try {
    const contract: unknown = migrateContract(JSON.parse(json))
    return isContract(contract) ? contract : undefined
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof ContractVersionError) return undefined
    throw error
  }
}

const member = <A extends string>(names: readonly A[], value: unknown): A | undefined =>
  names.find((name) => name === value)

/** What the details of a metric state beside what its name says; words that are not of a contract state nothing. */
const statedDetails = (details: unknown, named: Contract): Contract => ({
  ...named,
  quantity: member(QUANTITIES, at(details, "quantity")) ?? named.quantity,
  unit: member(UNITS, at(details, "unit")) ?? named.unit,
  bound: member(BOUNDS, at(details, "bound")) ?? named.bound,
})

const PERCENT = /^(?:%|percent(?:age)?|pct)$/i
const PROPORTION = /^(?:proportion|fraction|ratio|probability|rate)$/i

/** Unit of a share from the scale that a record states: `metric_unit` and the ends of the scale have to agree. */
const scaleOf = (config: unknown): Contract["unit"] => {
  const named = text(at(config, "metric_unit"))
  const [low, high] = [finite(at(config, "min_score")), finite(at(config, "max_score"))]
  const byName =
    named === undefined
      ? undefined
      : PERCENT.test(named)
        ? "percent"
        : PROPORTION.test(named)
          ? "proportion"
          : "score"
  const byEnds =
    high === undefined
      ? undefined
      : (low ?? 0) !== 0
        ? "score"
        : high === 1
          ? "proportion"
          : high === 100
            ? "percent"
            : "score"
  if (byName !== undefined && byEnds !== undefined && byName !== byEnds) return NOT_STATED
  return byName ?? byEnds ?? NOT_STATED
}

/** What a perplexity is per, where the words of the record say it. */
const perplexityEvent = (words: string): PerplexityEvent | undefined => {
  if (/lambada|target/i.test(words)) return "target"
  if (/\bword/i.test(words)) return "word"
  return /\btoken/i.test(words) ? "token" : undefined
}

/** A name as it is: the mark in it is no part of an identifier. */
const PASS_RATE = /^pass@\d+$/i

const NAMES = ["metric_id", "metric_name", "evaluation_description"] as const

/** The contract that the names of a metric give: the first of them that means something. */
const namedContract = (config: unknown, name: string, dataset: string): Contract => {
  const words = [...NAMES.map((key) => text(at(config, key)) ?? ""), name, dataset]
  const event = perplexityEvent(words.join(" "))
  const contracts = words
    .slice(0, -1)
    .filter((word) => word !== "")
    .map((word) =>
      contractOfMetric(
        PASS_RATE.exec(word)?.[0].toLowerCase() ?? identifier(word).replaceAll("-", "_"),
        event,
      ),
    )
  const found = contracts.find(({ quantity }) => quantity !== NOT_STATED) ?? contracts[0]!
  if (text(at(config, "score_type")) === "levels") return { ...contractOfMetric("level"), title: name }
  const share = found.quantity === "accuracy" || found.quantity === "pass-rate"
  return share ? { ...found, unit: scaleOf(config) } : found
}

/** The claims of a record; throws SpecError with a pointer where it is not one. */
export const readEveryEvalEver = (document: unknown, file: string, remark: Remark = SILENTLY): ClaimsFile => {
  const results = at(document, "evaluation_results")
  if (!Array.isArray(results)) return refuse(file, "/evaluation_results", "a list", "nothing")
  const model = text(at(document, "model_info", "name")) ?? NOT_STATED
  const unique = uniquely()
  const contracts: Record<string, Contract> = {}
  const claims: unknown[] = []
  const left: string[] = []
  const leave = (index: number, why: string): void => {
    left.push(why)
    remark(`${file}: the score at /evaluation_results/${index} is left out: ${why}.`)
  }
  for (const [index, result] of results.entries()) {
    const given = at(result, "score_details", "score")
    const score = finite(given)
    const name = text(at(result, "evaluation_name")) ?? `result ${index}`
    if (score === undefined) {
      leave(
        index,
        badScore(given) ??
          (given === undefined ? "no score is stated" : `it is ${JSON.stringify(given)}, no JSON number`),
      )
      continue
    }
    const metric = text(at(result, "metric_config", "evaluation_description")) ?? name
    const details = at(result, "metric_config", "additional_details")
    const carried = carriedContract(details)
    const config = at(result, "metric_config")
    const dataset = text(at(result, "source_data", "dataset_name")) ?? NOT_STATED
    const base = statedDetails(details, namedContract(config, name, dataset))
    const [low, high] = [finite(at(config, "min_score")), finite(at(config, "max_score"))]
    const unit = (carried ?? base).unit
    const wanted =
      valueConflict(unit, score) ??
      (score < (low ?? score) || score > (high ?? score)
        ? `a number on the record's own scale, ${low ?? "open"} to ${high ?? "open"}`
        : undefined)
    if (wanted !== undefined) {
      leave(index, `${score} is not ${wanted}${unit === NOT_STATED ? "" : `, as its unit is ${unit}`}`)
      continue
    }
    const id = unique(identifier(name))
    const items = count(at(result, "score_details", "uncertainty", "num_samples"))
    const stderr = finite(at(result, "score_details", "uncertainty", "standard_error", "value"))
    contracts[id] = carried ?? {
      ...base,
      title: metric,
      ...((base.quantity === "accuracy" || base.quantity === "pass-rate") && items !== undefined
        ? { denominator: { kind: "items", items, source: "num_samples of the record" } as const }
        : {}),
      data: {
        dataset,
        split: text(at(result, "source_data", "hf_split")) ?? NOT_STATED,
        slice: NOT_STATED,
        coverage: NOT_STATED,
        export: NOT_STATED,
      },
    }
    claims.push({
      id,
      title: name,
      model,
      printed: String(score),
      value: score,
      exact: true,
      ...(stderr === undefined || stderr < 0 ? {} : { standardError: stderr }),
      mark: "stated",
      place: { file, note: `evaluation_results ${index}` },
      contract: id,
      hardware: NOT_STATED,
    })
  }
  if (claims.length === 0)
    refuse(file, "/evaluation_results", "at least one numeric score", left[0] ?? "none")
  const source = text(at(document, "source_metadata", "source_name"))
  return decodeValue(
    ClaimsFile,
    {
      source: {
        title: `Every-Eval-Ever record${source === undefined ? "" : ` of ${source}`}`,
        url: text(at(document, "source_metadata", "source_organization_url")) ?? file,
      },
      contracts,
      claims,
    },
    file,
  )
}

export interface RunIdentity {
  readonly id: string
  readonly spec: string
  /** ISO time at which the run was made. */
  readonly started: string
  readonly program: string
  readonly executor: { readonly name: string; readonly version: string }
  readonly model: string
}

const resultOf = (row: TableRow, table: ResultsTable): Record<string, unknown> => {
  const contract = row.contractId === null ? undefined : table.contracts[row.contractId]
  const dataset = text(at(contract, "data", "dataset")) ?? NOT_STATED
  return {
    evaluation_name: row.label,
    source_data: { dataset_name: dataset, source_type: "other" },
    metric_config: {
      evaluation_description: `${row.quantity} in ${row.unit}, ${row.boundKind}${row.estimator === null ? "" : `, ${row.estimator}`}`,
      lower_is_better: lowerIsBetter(row.quantity as Contract["quantity"]),
      score_type: "continuous",
      min_score: 0,
      max_score: row.unit === "proportion" ? 1 : row.unit === "percent" ? 100 : Number.MAX_VALUE,
      additional_details: {
        quantity: row.quantity,
        bound: row.boundKind,
        unit: row.unit,
        ...(contract === undefined ? {} : { contract_json: JSON.stringify(contract) }),
        ...(row.contractId === null ? {} : { contract: row.contractId }),
        ...(row.denominator === null ? {} : { denominator: row.denominator.kind }),
        ...(row.mark === null ? {} : { mark: row.mark }),
      },
    },
    score_details: {
      score: row.value,
      ...(row.interval === null
        ? {}
        : {
            uncertainty: {
              confidence_interval: {
                lower: row.interval.low,
                upper: row.interval.high,
                confidence_level: row.interval.level,
                method: row.interval.method,
              },
            },
          }),
    },
  }
}

/** A record of what a run measured; claims and floors are not its results and stay out. */
export const writeEveryEvalEver = (table: ResultsTable, run: RunIdentity): Record<string, unknown> => {
  const rows = table.rows.filter(
    (row) => (row.group === "result" || row.group === "as published") && row.value !== null,
  )
  const seconds = String(Math.floor(Date.parse(run.started) / 1000))
  const results = rows.map((row) => resultOf(row, table))
  return {
    schema_version: EVERY_EVAL_EVER_VERSION,
    evaluation_id: `${run.spec}/${run.model}/${seconds}`,
    dedupe_identity: {
      content_hash: createHash("sha256").update(JSON.stringify(results)).digest("hex"),
      hash_algorithm: "sha256",
    },
    evaluation_timestamp: seconds,
    retrieved_timestamp: seconds,
    source_metadata: {
      source_name: `repro run ${run.id}`,
      source_type: "evaluation_run",
      source_organization_name: NOT_STATED,
      evaluator_relationship: "other",
    },
    eval_library: {
      name: "repro",
      version: run.program,
      additional_details: {
        profile: table.header.profile,
        fingerprint: table.header.fingerprint ?? NOT_STATED,
      },
    },
    model_info: {
      name: run.model,
      id: run.model,
      inference_engine: { name: run.executor.name, version: run.executor.version },
    },
    evaluation_results: results,
  }
}
