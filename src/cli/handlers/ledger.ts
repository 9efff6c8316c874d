/** What the commands on published claims share. */
import { join } from "node:path"
import { readLedger, type Ledger } from "../../spec/claim-ledger.js"
import { packageRoot } from "../locate.js"

/** The ledger of a folder, or the one that comes with the program. */
export const openLedger = (folder: string | undefined): Promise<Ledger> =>
  readLedger(folder ?? join(packageRoot, "specs", "claims"))
