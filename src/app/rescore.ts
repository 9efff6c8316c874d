import { contractDigest } from "../metric/contract/digest.js"
import { rescoreClaim, type Rescored } from "../audit/rescore-claim.js"
import { ratioSampleFor } from "../audit/packet.js"
import { provenance } from "../audit/provenance.js"
import { showPoint, showRescored, showValue, withUnit } from "../report/packet/words.js"
import { sourceLine } from "../audit/findings-common.js"
import { claimsOf } from "../spec/claim-ledger.js"
import type { Outcome } from "./outcome.js"
import { openLedgers } from "./ledger.js"

/** The number with its interval; where nothing changed, with what the rounding of the printed digits leaves open. */
export const showNumber = (rescored: Rescored): string => {
  const { number, status } = rescored
  if (number === undefined || status !== "unchanged") return showRescored(rescored)
  const { lo, hi } = number.interval
  const narrow = showValue(lo, number.unit) === showValue(hi, number.unit)
  return narrow
    ? showPoint(rescored)
    : `${showPoint(rescored)} (${Number(lo.toPrecision(6))} to ${Number(hi.toPrecision(6))} as printed)`
}

/** A claim under the definition its quantity has; exit code 3 when no arithmetic leads there. */
export const rescore = async (
  id: string,
  options: { readonly claims?: string | undefined } = {},
): Promise<Outcome> => {
  const ledger = await openLedgers(options.claims)
  const [claim] = claimsOf(ledger, [id], id, "")
  const result = rescoreClaim(claim!, ratioSampleFor(ledger, id))
  const source = sourceLine(claim!.place, claim!.source)
  const text = [
    `${claim!.title}: ${withUnit(claim!.printed, String(claim!.contract.unit))}${claim!.mark === "stated" ? " " : "; "}${provenance(claim!)}`,
    `source: ${source}`,
    result === undefined
      ? "No definition fits this quantity."
      : `under the definition "${result.definition}": ${showNumber(result)}`,
    ...(result?.derivation ?? []).map(
      ({ formula, result: value, unit }) => `  ${formula} = ${Number(value.toPrecision(8))} ${unit}`,
    ),
    ...(result?.assumptions ?? []).map((each) => `  assumption (${each.mark}): ${each.text}`),
    ...(result?.charges ?? []).map(
      ({ name, atMost, unit, formula }) =>
        `  not in the value: ${name}, at most ${atMost.toFixed(4)} ${unit} (${formula})`,
    ),
    ...(result === undefined || result.number === undefined ? [] : [result.reason]),
  ]
  return {
    text: text.join("\n"),
    json: {
      claim: claim!.id,
      title: claim!.title,
      printed: claim!.printed,
      value: claim!.value,
      unit: claim!.contract.unit,
      provenance: provenance(claim!),
      source,
      contractId: contractDigest(claim!.contract),
      contract: claim!.contract,
      rescored: result ?? null,
    },
    notes: ledger.remarks ?? [],
    exitCode: result === undefined || result.number === undefined ? 3 : 0,
  }
}
