/** What the commands on published claims share. */
import { readdir, readFile, stat } from "node:fs/promises"
import { basename, join } from "node:path"
import { isEveryEvalEver, readEveryEvalEver } from "../report/interchange/every-eval-ever.js"
import { isLmEval, readLmEval } from "../report/interchange/lm-eval.js"
import { identifier } from "../report/interchange/foreign.js"
import type { ClaimsFile, ResolvedClaim } from "../spec/claim.js"
import { decodeClaims, ledgerOf, readLedger, type Ledger } from "../spec/claim-ledger.js"
import { readJson } from "../spec/decode.js"
import { SpecError } from "../spec/spec-error.js"
import { decodeText } from "../audit/log-text.js"
import { packageRoot } from "../files/package-files.js"

interface LedgerFile {
  readonly name: string
  readonly content: ClaimsFile
  /** Of another tool: its claims have no ids of their own. */
  readonly foreign: boolean
  /** What was left out of it. */
  readonly remarks: readonly string[]
}

/** Of a file that is of none of the forms, one sentence says which are read. */
const requireClaimsForm = (value: unknown, path: string): void => {
  const keys = typeof value === "object" && value !== null ? Object.keys(value) : []
  if (keys.length === 0 || ["source", "contracts", "claims", "$schema"].some((key) => keys.includes(key)))
    return
  throw new SpecError(path, [
    {
      pointer: "",
      expected:
        "claims (source, contracts, claims), results of lm-evaluation-harness 0.3 or 0.4 (results, beside configs or versions), or an Every-Eval-Ever record (schema_version, evaluation_results)",
      found: `another form, with ${keys.slice(0, 4).join(", ")}${keys.length > 4 ? ", ..." : ""}`,
      hint: "Write its figures as claims, or convert it to one of these forms.",
    },
  ])
}

/** Claims files, results files of lm-evaluation-harness or Every-Eval-Ever records; a list may hold several. */
const readClaims = async (path: string): Promise<readonly LedgerFile[]> => {
  const text = decodeText(await readFile(path))
  if (text === undefined)
    throw new SpecError(path, [{ pointer: "", expected: "JSON text", found: "a file that is no text" }])
  const remarks: string[] = []
  const remark = (sentence: string): void => void remarks.push(sentence)
  const foreign = (value: unknown, name: string): LedgerFile | undefined => {
    if (isLmEval(value)) return { name, content: readLmEval(value, name, remark), foreign: true, remarks }
    return isEveryEvalEver(value)
      ? { name, content: readEveryEvalEver(value, name, remark), foreign: true, remarks }
      : undefined
  }
  const { value } = readJson(text, path, { nonFinite: true })
  if (Array.isArray(value) && value.length > 0) {
    const all = value.map((each, index) => foreign(each, value.length === 1 ? path : `${path}#${index}`))
    const files = all.flatMap((each) => each ?? [])
    if (files.length === value.length) return files
    throw new SpecError(path, [
      {
        pointer: `/${all.indexOf(undefined)}`,
        expected: "a results file of lm-evaluation-harness or an Every-Eval-Ever record",
        found: "another form",
      },
    ])
  }
  const one = foreign(value, path)
  if (one === undefined) requireClaimsForm(value, path)
  return [one ?? { name: path, content: decodeClaims(text, path), foreign: false, remarks: [] }]
}

/** The ledger of files with what was left out of them. */
const assembled = (files: readonly LedgerFile[]): Ledger => ({
  ...ledgerOf(distinct(files)),
  remarks: [...new Set(files.flatMap(({ remarks }) => remarks))],
})

/** Results of several models on one task have one id; the later ones get the name of their file before it. */
const distinct = (files: readonly LedgerFile[]): readonly LedgerFile[] => {
  const seen = new Set(files.filter(({ foreign }) => !foreign).flatMap(({ content }) => idsOf(content)))
  return files.map((file) => {
    if (!file.foreign) return file
    const named = (claim: ClaimsFile["claims"][0]): typeof claim => {
      const id = seen.has(claim.id) ? identifier(basename(file.name, ".json"), claim.id) : claim.id
      seen.add(id)
      return { ...claim, id }
    }
    const [first, ...rest] = file.content.claims
    const claims = [named(first), ...rest.map(named)] as const
    return { ...file, content: { ...file.content, claims } }
  })
}

const idsOf = ({ claims }: ClaimsFile): readonly string[] => claims.map(({ id }) => id)

/** Every `*.json` of a folder, in the order of their names. */
const folderLedger = async (folder: string): Promise<Ledger> => {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json")).sort()
  return assembled((await Promise.all(names.map((name) => readClaims(join(folder, name))))).flat())
}

/** The ledger of a folder or file, or the one that comes with the program. */
export const openLedger = async (given: string | undefined): Promise<Ledger> => {
  if (given === undefined) return readLedger(join(packageRoot, "specs", "claims"))
  const found = await stat(given).catch(() => undefined)
  if (found?.isFile() === true) return assembled(await readClaims(given))
  // What is no folder is refused there, with a sentence.
  return found?.isDirectory() === true ? folderLedger(given) : readLedger(given)
}

/** What a claim says, wherever its file lies. */
const contentOf = ({ file: _file, ...claim }: ResolvedClaim): string => JSON.stringify(claim)

/**
 * The claims of a folder or file together with those that come with the program. A claim of one's own stands in place
 * of a published one of its id, without what is known of that one, and a remark says so.
 */
export const openLedgers = async (given: string | undefined): Promise<Ledger> => {
  const published = await openLedger(undefined)
  if (given === undefined) return published
  const own = await openLedger(given)
  const replaced = [...own.claims.values()].filter((claim) => {
    const other = published.claims.get(claim.id)
    return other !== undefined && contentOf(other) !== contentOf(claim)
  })
  return {
    claims: new Map([...published.claims, ...own.claims]),
    facts: [
      ...own.facts,
      ...published.facts.filter(({ claims }) => !claims.some((id) => own.claims.has(id))),
    ],
    remarks: [
      ...(own.remarks ?? []),
      ...replaced.map(
        ({ id }) => `${id} is the claim of ${given}, not the one of that id that comes with repro.`,
      ),
    ],
  }
}
