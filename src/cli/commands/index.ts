/** Every command of the program, in the order of the help text. Handlers load when they run. */
import { doctorCommand } from "./doctor.js"
import { listCommand } from "./list.js"
import { planCommand } from "./plan.js"
import { validateCommand } from "./validate.js"

export const commands = [planCommand, validateCommand, listCommand, doctorCommand] as const
