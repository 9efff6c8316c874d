/** Every command of the program, in the order of the help text. Handlers load when they run. */
import { checkCommand } from "./check.js"
import { diffCommand } from "./diff.js"
import { doctorCommand } from "./doctor.js"
import { listCommand } from "./list.js"
import { planCommand } from "./plan.js"
import { prepareCommand } from "./prepare.js"
import { reportCommand } from "./report.js"
import { runCommand } from "./run.js"
import { tableCommand } from "./table.js"
import { validateCommand } from "./validate.js"

export const commands = [
  runCommand,
  planCommand,
  validateCommand,
  checkCommand,
  prepareCommand,
  tableCommand,
  diffCommand,
  reportCommand,
  listCommand,
  doctorCommand,
] as const
