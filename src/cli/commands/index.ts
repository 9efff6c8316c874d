/** Every command of the program, in the order of the help text. Handlers load when they run. */
import { auditCommand } from "./audit.js"
import { checkCommand } from "./check.js"
import { compareCommand } from "./compare.js"
import { diffCommand } from "./diff.js"
import { doctorCommand } from "./doctor.js"
import { evalCommand } from "./eval.js"
import { inferCommand } from "./infer.js"
import { listCommand } from "./list.js"
import { matchedCommand } from "./matched.js"
import { newCommand } from "./new.js"
import { planCommand } from "./plan.js"
import { prepareCommand } from "./prepare.js"
import { reportCommand } from "./report.js"
import { rescoreCommand } from "./rescore.js"
import { runCommand } from "./run.js"
import { sampleCommand } from "./sample.js"
import { schemaCommand } from "./schema.js"
import { scoreCommand } from "./score.js"
import { submitCommand } from "./submit.js"
import { sweepCommand } from "./sweep.js"
import { tableCommand } from "./table.js"
import { tokenizeCommand } from "./tokenize.js"
import { validateCommand } from "./validate.js"
import { verifyCommand } from "./verify.js"

export const commands = [
  runCommand,
  sweepCommand,
  planCommand,
  validateCommand,
  newCommand,
  checkCommand,
  prepareCommand,
  tokenizeCommand,
  evalCommand,
  sampleCommand,
  scoreCommand,
  matchedCommand,
  submitCommand,
  auditCommand,
  compareCommand,
  rescoreCommand,
  inferCommand,
  tableCommand,
  diffCommand,
  reportCommand,
  verifyCommand,
  listCommand,
  schemaCommand,
  doctorCommand,
] as const
