import { contractDigest } from "../../metric/contract-digest.js"
import { rescoreClaim } from "../../metric/rescore-claim.js"
import { ratioSampleFor } from "../../report/packet/audit.js"
import { showRescored } from "../../report/packet/words.js"
import { sourceLine } from "../../metric/findings-common.js"
import { claimsOf } from "../../spec/claim-ledger.js"
import type { Outcome } from "../outcome.js"
import { openLedger } from "./ledger.js"

/** A claim under the definition its quantity has; exit code 3 when no arithmetic leads there. */
export const rescore = async (
  id: string,
  options: { readonly claims?: string | undefined } = {},
): Promise<Outcome> => {
  const ledger = await openLedger(options.claims)
  const [claim] = claimsOf(ledger, [id], id, "")
  const result = rescoreClaim(claim!, ratioSampleFor(ledger, id))
  const source = sourceLine(claim!.place, claim!.source)
  const text = [
    `${claim!.title}: ${claim!.printed} ${claim!.contract.unit} as published`,
    `source: ${source}`,
    result === undefined
      ? "No definition fits this quantity."
      : `under the definition "${result.definition}": ${showRescored(result)}`,
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
      source,
      contractId: contractDigest(claim!.contract),
      contract: claim!.contract,
      rescored: result ?? null,
    },
    exitCode: result === undefined || result.number === undefined ? 3 : 0,
  }
}
