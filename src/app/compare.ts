import { readFile, stat } from "node:fs/promises"
import { compareContracts, type Verdict } from "../metric/contract/compare.js"
import { contractDigest } from "../metric/contract/digest.js"
import { migrateContract, ContractVersionError } from "../metric/contract/migrations.js"
import { DEFINITIONS, type DefinitionId } from "../metric/contract/registry.js"
import { Contract } from "../metric/contract/contract.js"
import { rescoreClaim } from "../audit/rescore-claim.js"
import { compareMarked, type MarkedOrder } from "../metric/contract/bound.js"
import { ratioSampleFor } from "../audit/packet.js"
import { provenance } from "../audit/provenance.js"
import { VERDICT_WORDS, withUnit } from "../report/packet/words.js"
import { claimsOf, type Ledger } from "../spec/claim-ledger.js"
import type { ResolvedClaim } from "../spec/claim.js"
import { decodeValue, readJson } from "../spec/decode.js"
import { SpecError } from "../spec/spec-error.js"
import type { ExitCode, Outcome } from "./outcome.js"
import { columns } from "./text.js"
import { openLedgers } from "./ledger.js"
import { showNumber } from "./rescore.js"

interface Side {
  readonly name: string
  readonly kind: "claim" | "definition" | "file"
  readonly contract: Contract
  readonly claim?: ResolvedClaim
}

const isDefinition = (name: string): name is DefinitionId => Object.hasOwn(DEFINITIONS, name)

const isFile = async (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  )

/** A contract from a JSON file; older forms are brought up to date. */
const contractFile = async (path: string): Promise<Contract> => {
  const parsed = readJson(await readFile(path, "utf8"), path)
  try {
    return decodeValue(Contract, migrateContract(parsed.value), path, parsed.locate)
  } catch (error) {
    if (!(error instanceof ContractVersionError)) throw error
    throw new SpecError(path, [
      { pointer: error.pointer, expected: error.expected, found: JSON.stringify(error.found) ?? "nothing" },
    ])
  }
}

/** A claim id, a definition id, or a file with a contract. */
const sideOf = async (name: string, ledger: Ledger): Promise<Side> => {
  if (isDefinition(name)) return { name, kind: "definition", contract: DEFINITIONS[name] }
  const claim = ledger.claims.get(name)
  if (claim !== undefined) return { name, kind: "claim", contract: claim.contract, claim }
  if (await isFile(name)) return { name, kind: "file", contract: await contractFile(name) }
  const [found] = claimsOf(ledger, [name], name, "")
  return { name, kind: "claim", contract: found!.contract }
}

/** Table, file or text of a thread that a claim stands in. */
const whereabouts = ({ place }: ResolvedClaim): readonly (string | undefined)[] => {
  const { document, file, table, figure, thread } = place
  return [document, file, table, figure, thread?.url, thread?.part]
}

/** Whether two sides stand in one table, file or text of a thread of one source, or are one and the same. */
const oneSource = (a: Side, b: Side): boolean => {
  if (a.name === b.name) return true
  if (a.claim === undefined || b.claim === undefined || a.claim.file !== b.claim.file) return false
  const [x, y] = [whereabouts(a.claim), whereabouts(b.claim)]
  return x.some((each) => each !== undefined) && x.every((each, index) => each === y[index])
}

/** The same words as the verdict's: at most an order follows, and whether one does. */
const ORDER_WORDS: { readonly [K in MarkedOrder["relation"]]: string } = {
  below: "the first is below",
  above: "the first is above",
  equal: "equal",
  undetermined: "none follows",
}

const EXIT: { readonly [K in Verdict]: ExitCode } = {
  identical: 0,
  convertible: 0,
  "ordered-only": 3,
  incomparable: 3,
  unknown: 3,
}

/** Compares two contracts; exit code 0 when their numbers may stand side by side, 3 when they may not. */
export const compare = async (
  first: string,
  second: string,
  options: { readonly claims?: string | undefined } = {},
): Promise<Outcome> => {
  const ledger = await openLedgers(options.claims)
  const [a, b] = [await sideOf(first, ledger), await sideOf(second, ledger)]
  const comparison = compareContracts(a.contract, b.contract, {
    definition: b.kind === "definition",
    sameSource: oneSource(a, b),
  })
  const rescored = [a, b].map((side) =>
    side.claim === undefined ? undefined : rescoreClaim(side.claim, ratioSampleFor(ledger, side.name)),
  )
  const [x, y] = rescored.map((each) => each?.number)
  const order: MarkedOrder | undefined =
    x === undefined ||
    y === undefined ||
    x.unit !== y.unit ||
    comparison.axes.some(({ axis, relation }) => axis === "data" && relation === "different")
      ? undefined
      : a.name === b.name
        ? { relation: "equal", reason: "one and the same number" }
        : compareMarked(x, y)
  const describe = (side: Side, index: number): string => {
    const number = rescored[index]
    const own = side.claim === undefined || side.claim.mark === "stated" ? "" : ` (${provenance(side.claim)})`
    const printed =
      side.claim === undefined ? "" : `: ${withUnit(side.claim.printed, String(side.contract.unit))}${own}`
    return `${side.name} (${side.kind})${printed}${number?.number === undefined ? "" : `, under its definition ${showNumber(number)}`}`
  }
  return {
    text: [
      `Verdict: ${VERDICT_WORDS[comparison.verdict]}`,
      describe(a, 0),
      describe(b, 1),
      ...(order === undefined
        ? []
        : [`Order under the definition: ${ORDER_WORDS[order.relation]} (${order.reason})`]),
      ...(comparison.conversions.length === 0
        ? []
        : ["", "Conversions", ...comparison.conversions.map((step) => `- ${step}`)]),
      "",
      columns([
        ["AXIS", "RELATION", "REASON"],
        ...comparison.axes.map(({ axis, relation, reason }) => [axis, relation, reason]),
      ]),
    ].join("\n"),
    json: {
      verdict: comparison.verdict,
      first: {
        name: a.name,
        kind: a.kind,
        contractId: contractDigest(a.contract),
        contract: a.contract,
        rescored: rescored[0] ?? null,
      },
      second: {
        name: b.name,
        kind: b.kind,
        contractId: contractDigest(b.contract),
        contract: b.contract,
        rescored: rescored[1] ?? null,
      },
      order: order ?? null,
      conversions: comparison.conversions,
      axes: comparison.axes,
    },
    notes: ledger.remarks ?? [],
    exitCode: EXIT[comparison.verdict],
  }
}
