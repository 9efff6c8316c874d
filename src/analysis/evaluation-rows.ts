/** Rows of the results table that come from one evaluation. */
import { contractDigest } from "../metric/contract/digest.js"
import { enumerativeWindowBits } from "../metric/code/boundary.js"
import type { BoundKind } from "../metric/contract/fields.js"
import { contractOf, estimatorName, evaluatorPart } from "../evaluators/index.js"
import type { ContractContext, DenominatorChoice } from "../metric/contract/builders.js"
import type { Contract } from "../metric/contract/contract.js"
import { BYTES_CALLED } from "../metric/bytes/text-account.js"
import { windowWords } from "../spec/windows.js"
import { coverageNotes, denominatorNotes } from "./denominator-notes.js"
import { isCountable, type EvaluationSummary, type RatioInterval } from "./language-model.js"
import type { Interval, TableRow } from "./table.js"

const QUANTITY = "negative-log-likelihood"

export interface RowOptions {
  readonly ratioInterval: RatioInterval
  /** Bytes per token of the published definition, such as 4.3; absent when the paper used the exact table. */
  readonly publishedConstant?: number
}

/** Whether a bound holds a prior term, which then has a row of its own. */
const chargesTerminal = ({ estimator }: Contract): boolean =>
  estimator !== "not stated" && "terminal" in estimator && estimator.terminal === "charged"

const scaled = (from: Interval | null, factor: number): Interval | null =>
  from === null ? null : { ...from, low: from.low * factor, high: from.high * factor }

/** The rows of one evaluation; its contracts are added to `contracts` by digest. */
export const evaluationRows = (
  summary: EvaluationSummary,
  { ratioInterval, publishedConstant }: RowOptions,
  untrained: boolean,
  contracts: Record<string, unknown>,
): readonly TableRow[] => {
  const {
    evaluation,
    evaluationId: id,
    bits,
    tokens,
    maskableTokens,
    bytes,
    perWindow,
    boundaryBits,
  } = summary
  const name = estimatorName(evaluation)
  const register = (contract: Contract): string => {
    const digest = contractDigest(contract)
    contracts[digest] = contract
    return digest
  }
  const contract = (
    unit: NonNullable<ContractContext["unit"]>,
    denominator: DenominatorChoice,
    boundary = summary.context.boundary,
  ): Contract => contractOf(evaluation, { ...summary.context, boundary, unit, denominator })
  const perToken = contract("bits/token", { kind: "tokens", tokens })
  const boundKind: BoundKind = perToken.bound === "not stated" ? "unknown" : perToken.bound
  const interval = (of: "bytes" | "tokens"): Interval | null =>
    perWindow.length < 2
      ? null
      : ratioInterval(perWindow.map((window) => ({ numerator: window.bits, denominator: window[of] })))
  const tokenInterval = interval("tokens")
  const byteInterval = isCountable(summary) ? interval("bytes") : null
  // The forms that papers print; of the other estimators bits are enough.
  const { printed = false } = evaluatorPart(evaluation)
  const free = perToken.event === "maskable-targets" && summary.boundaryTokens > 0
  const { alignment, length } = evaluation.windows
  const slice = `Over ${windowWords(alignment, length)}, reduced as a ratio of sums.`
  const countable = isCountable(summary)
  const called = BYTES_CALLED[summary.text?.standing ?? "exact"]
  const perByte = (numerator: number): number | null => (countable ? numerator / bytes : null)
  const countedBytes = countable ? bytes : null
  const byteSource: DenominatorChoice = {
    kind: "byte-table",
    tokens,
    ...(countable ? { bytes } : {}),
    ...(called === BYTES_CALLED.exact
      ? {}
      : { source: `SentencePiece byte table summed over the scored targets: ${called}` }),
  }
  const byteTotal = {
    kind: "byte-table",
    total: countedBytes,
    unit: "bytes",
    ...(summary.text === undefined ? {} : { text: summary.text }),
  }
  const order =
    summary.ties === undefined
      ? []
      : [
          summary.ties.nats === null
            ? "Order: ties were broken by rounding, as earlier versions did, so the value depends on the executor."
            : `Order: ${summary.ties.count} of ${summary.ties.choices} choices were ties (a lead of at most ${summary.ties.nats} nats), where the leftmost position is revealed.`,
        ]
  const freeNote = `${summary.boundaryTokens} of ${tokens} tokens are boundary tokens whose positions the model is given free.`
  const shared = {
    group: "result" as const,
    quantity: QUANTITY,
    boundKind,
    estimator: name,
    tokens,
    bytes: countedBytes,
    mark: untrained ? "untrained" : null,
  }
  const rows: TableRow[] = [
    {
      ...shared,
      id: `${id}/bits-per-byte`,
      label: `${name}: BPB, ${called}`,
      contractId: register(contract("bits/byte", byteSource)),
      unit: "bits/byte",
      value: perByte(bits),
      interval: byteInterval,
      denominator: byteTotal,
      notes: [
        slice,
        ...denominatorNotes(summary),
        ...coverageNotes(summary),
        ...order,
        ...(free ? [freeNote] : []),
      ],
      windows: perWindow.length,
      ...(summary.forwards === undefined ? {} : { forwardsPerWindow: summary.forwards / perWindow.length }),
    },
    {
      ...shared,
      id: `${id}/bits-per-token`,
      label: `${name}: bits/token`,
      contractId: register(perToken),
      unit: "bits/token",
      value: bits / tokens,
      interval: tokenInterval,
      denominator: { kind: "tokens", total: tokens, unit: "tokens" },
      notes: [],
      windows: perWindow.length,
      ...(maskableTokens === tokens ? {} : { perMaskableToken: bits / maskableTokens }),
      ...(summary.monteCarloVariance === undefined
        ? {}
        : { drawError: Math.sqrt(summary.monteCarloVariance) / tokens }),
    },
  ]
  if (printed) {
    rows.push({
      ...shared,
      id: `${id}/nats-per-token`,
      label: `${name}: nats/token`,
      contractId: register(contract("nats/token", { kind: "tokens", tokens })),
      unit: "nats/token",
      value: (bits * Math.LN2) / tokens,
      interval: scaled(tokenInterval, Math.LN2),
      denominator: { kind: "tokens", total: tokens, unit: "tokens" },
      notes: [],
    })
  }
  if (chargesTerminal(perToken) || summary.terminalBits > 0) {
    rows.push({
      ...shared,
      id: `${id}/terminal`,
      label: `${name}: terminal term, included above`,
      contractId: null,
      quantity: "part of negative-log-likelihood",
      unit: "bits/token",
      value: summary.terminalBits / tokens,
      boundKind: "exact",
      interval: null,
      denominator: { kind: "tokens", total: tokens, unit: "tokens" },
      notes: [],
      mark: null,
    })
  }
  if (free) {
    const missing = boundaryBits === null ? ["The cost of the boundary positions was not computed."] : []
    const withheld = "The bytes of these tokens are not known."
    rows.push(
      {
        ...shared,
        id: `${id}/boundary`,
        label: `${name}: boundary positions, if charged`,
        contractId: null,
        quantity: "part of negative-log-likelihood",
        unit: "bits/byte",
        value: boundaryBits === null ? null : perByte(boundaryBits),
        boundKind: "upper-bound",
        interval: null,
        denominator: byteTotal,
        estimator: "enumerative code of the positions in each window",
        notes: [
          ...missing,
          countable
            ? `One code over all windows would take ${(enumerativeWindowBits(tokens, summary.boundaryTokens) / bytes).toFixed(4)}.`
            : withheld,
        ],
        mark: null,
      },
      {
        ...shared,
        id: `${id}/bits-per-byte-charged`,
        label: `${name}: BPB, boundaries charged${called === BYTES_CALLED.exact ? "" : `, ${called}`}`,
        contractId: register(contract("bits/byte", byteSource, "maskable")),
        unit: "bits/byte",
        value: boundaryBits === null ? null : perByte(bits + boundaryBits),
        interval:
          boundaryBits === null || byteInterval === null
            ? null
            : {
                ...byteInterval,
                low: byteInterval.low + boundaryBits / bytes,
                high: byteInterval.high + boundaryBits / bytes,
              },
        denominator: byteTotal,
        notes: countable ? missing : [...missing, withheld],
      },
    )
  }
  if (publishedConstant !== undefined && printed) {
    const definition = contract("bits/byte", { kind: "constant", bytesPerToken: publishedConstant, tokens })
    rows.push({
      ...shared,
      id: `${id}/as-published`,
      group: "as published",
      label: `${name}: bits / (${publishedConstant} bytes × token), as published`,
      contractId: register(definition),
      unit: "bits/byte, as published",
      value: bits / (publishedConstant * tokens),
      interval: scaled(tokenInterval, 1 / publishedConstant),
      denominator: { kind: "constant", total: publishedConstant * tokens, unit: "bytes" },
      notes: [
        countable
          ? `The constant says ${publishedConstant} bytes per token; the ${called} ${called.startsWith("bytes") ? "are" : "gives"} ${(bytes / tokens).toFixed(4)} on these tokens.`
          : `The constant says ${publishedConstant} bytes per token; what these tokens have is not known.`,
      ],
    })
  }
  return rows
}
