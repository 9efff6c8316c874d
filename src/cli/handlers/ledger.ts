/** What the commands on published claims share. */
import { readdir, readFile, stat } from "node:fs/promises"
import { basename, join } from "node:path"
import { isEveryEvalEver, readEveryEvalEver } from "../../report/interchange/every-eval-ever.js"
import { isLmEval, readLmEval } from "../../report/interchange/lm-eval.js"
import { identifier } from "../../report/interchange/foreign.js"
import type { ClaimsFile } from "../../spec/claim.js"
import { decodeClaims, ledgerOf, readLedger, type Ledger } from "../../spec/claim-ledger.js"
import { readJson } from "../../spec/decode.js"
import { packageRoot } from "../locate.js"

interface LedgerFile {
  readonly name: string
  readonly content: ClaimsFile
  /** Of another tool: its claims have no ids of their own. */
  readonly foreign: boolean
}

/** A claims file, a results file of lm-evaluation-harness or an Every-Eval-Ever record. */
const readClaims = async (path: string): Promise<LedgerFile> => {
  const text = await readFile(path, "utf8")
  const { value } = readJson(text, path)
  if (isLmEval(value)) return { name: path, content: readLmEval(value, path), foreign: true }
  if (isEveryEvalEver(value)) return { name: path, content: readEveryEvalEver(value, path), foreign: true }
  return { name: path, content: decodeClaims(text, path), foreign: false }
}

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
  return ledgerOf(distinct(await Promise.all(names.map((name) => readClaims(join(folder, name))))))
}

/** The ledger of a folder or file, or the one that comes with the program. */
export const openLedger = async (given: string | undefined): Promise<Ledger> => {
  if (given === undefined) return readLedger(join(packageRoot, "specs", "claims"))
  const found = await stat(given).catch(() => undefined)
  if (found?.isFile() === true) return ledgerOf([await readClaims(given)])
  // What is no folder is refused there, with a sentence.
  return found?.isDirectory() === true ? folderLedger(given) : readLedger(given)
}
