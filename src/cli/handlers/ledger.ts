/** What the commands on published claims share. */
import { readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import { isEveryEvalEver, readEveryEvalEver } from "../../report/interchange/every-eval-ever.js"
import { isLmEval, readLmEval } from "../../report/interchange/lm-eval.js"
import { decodeClaims, ledgerOf, readLedger, type Ledger } from "../../spec/claim-ledger.js"
import { readJson } from "../../spec/decode.js"
import { packageRoot } from "../locate.js"

/** A claims file, a results file of lm-evaluation-harness or an Every-Eval-Ever record, as a ledger of its own. */
const fileLedger = async (path: string): Promise<Ledger> => {
  const content = await readFile(path, "utf8")
  const { value } = readJson(content, path)
  const claims = isLmEval(value)
    ? readLmEval(value, path)
    : isEveryEvalEver(value)
      ? readEveryEvalEver(value, path)
      : decodeClaims(content, path)
  return ledgerOf([{ name: path, content: claims }])
}

/** The ledger of a folder or file, or the one that comes with the program. */
export const openLedger = async (given: string | undefined): Promise<Ledger> => {
  if (given === undefined) return readLedger(join(packageRoot, "specs", "claims"))
  const isFile = await stat(given).then(
    (found) => found.isFile(),
    () => false,
  )
  return isFile ? fileLedger(given) : readLedger(given)
}
