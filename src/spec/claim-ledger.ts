/** Reads the ledger: every claims file of a folder, decoded, with contracts of older forms brought up to date. */
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { ContractVersionError, migrateContract } from "../metric/contract/migrations.js"
import { unknownClaim } from "./claim-id.js"
import { ClaimsFile, resolveClaims, type Fact, type ResolvedClaim } from "./claim.js"
import { decodeValue, readJson } from "./decode.js"
import { child } from "./pointer.js"
import { ProblemList } from "./problems.js"
import { SpecError, type Problem } from "./spec-error.js"

export type LedgerFact = Fact & { readonly source: ClaimsFile["source"]; readonly file: string }

export interface Ledger {
  readonly claims: ReadonlyMap<string, ResolvedClaim>
  readonly facts: readonly LedgerFact[]
  /** What was left out of files of other programs, in sentences. */
  readonly remarks?: readonly string[]
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Decodes one claims file; throws {@link SpecError} with every problem, each with a pointer. */
export const decodeClaims = (text: string, file: string): ClaimsFile => {
  const parsed = readJson(text, file)
  if (!isObject(parsed.value) || !isObject(parsed.value["contracts"]))
    return decodeValue(ClaimsFile, parsed.value, file, parsed.locate)
  const problems: Problem[] = []
  const contracts = Object.fromEntries(
    Object.entries(parsed.value["contracts"]).map(([name, contract]) => {
      try {
        return [name, migrateContract(contract)]
      } catch (error) {
        if (!(error instanceof ContractVersionError)) throw error
        const pointer = `${child("/contracts", name)}/version`
        const position = parsed.locate(pointer) ?? parsed.locate(child("/contracts", name))
        problems.push({
          pointer,
          expected: error.expected,
          found: JSON.stringify(error.found) ?? "nothing",
          ...(position === undefined ? {} : { position }),
        })
        return [name, contract]
      }
    }),
  )
  if (problems.length > 0) throw new SpecError(file, problems)
  return decodeValue(ClaimsFile, { ...parsed.value, contracts }, file, parsed.locate)
}

/** The ledger of already decoded files; an id may be given once, and facts may only name known claims. */
export const ledgerOf = (
  files: readonly { readonly name: string; readonly content: ClaimsFile }[],
): Ledger => {
  const claims = new Map<string, ResolvedClaim>()
  const problems = new Map<string, ProblemList>()
  const problem = (file: string, pointer: string, words: () => Omit<Problem, "pointer">): void => {
    const there = problems.get(file) ?? new ProblemList()
    problems.set(file, there)
    there.add(() => pointer, words)
  }
  for (const { name, content } of files) {
    for (const [index, claim] of resolveClaims(content, name).entries()) {
      const other = claims.get(claim.id)
      if (other !== undefined)
        problem(name, `/claims/${index}/id`, () => ({
          expected: "an id that no other claims file uses",
          found: `"${claim.id}", which ${other.file} has`,
        }))
      claims.set(claim.id, claim)
    }
  }
  const facts: LedgerFact[] = []
  for (const { name, content } of files) {
    for (const [index, fact] of (content.facts ?? []).entries()) {
      facts.push({ ...fact, source: content.source, file: name })
      for (const [at, id] of fact.claims.entries()) {
        if (claims.has(id)) continue
        const pointer = `/facts/${index}/claims/${at}`
        problem(name, pointer, () => ({
          ...unknownClaim(pointer, id, claims.keys()),
          expected: "the id of a claim",
        }))
      }
    }
  }
  for (const [file, { told, more }] of problems) throw new SpecError(file, told, more)
  return { claims, facts }
}

/** Reads every `*.json` of a folder of claims files, in the order of their names. */
export const readLedger = async (folder: string): Promise<Ledger> => {
  let names: string[]
  try {
    names = (await readdir(folder)).filter((name) => name.endsWith(".json")).sort()
  } catch {
    throw new SpecError(folder, [
      {
        pointer: "",
        expected: "a folder of claims files",
        found: "no such folder",
        hint: "Give --claims FOLDER.",
      },
    ])
  }
  const files = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name)
      return { name, content: decodeClaims(await readFile(path, "utf8"), path) }
    }),
  )
  return ledgerOf(files)
}

/** The claims of the given ids; throws {@link SpecError} naming every unknown id and the nearest known one. */
export const claimsOf = (
  ledger: Ledger,
  ids: readonly string[],
  file: string,
  pointer = "/claims",
): readonly ResolvedClaim[] => {
  const unknown = new ProblemList()
  const found = ids.flatMap((id, index) => {
    const claim = ledger.claims.get(id)
    if (claim !== undefined) return [claim]
    const place = pointer === "" ? "" : child(pointer, index)
    unknown.add(
      () => place,
      () => unknownClaim(place, id, ledger.claims.keys()),
    )
    return []
  })
  if (unknown.found > 0) throw new SpecError(file, unknown.told, unknown.more)
  return found
}
