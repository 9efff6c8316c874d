/** What to say where a judge of an experiment has not come to its end. */
import type { LoadedSpec } from "../spec/spec-file.js"
import type { MissingJudge } from "./ensure-run.js"
import type { Outcome } from "./outcome.js"

export const waitingForJudge = (
  { experiment: { id } }: LoadedSpec,
  { spec, ensured }: MissingJudge,
): Outcome => {
  const name = spec.experiment.id
  const reason =
    ensured.state === "elsewhere"
      ? ensured.reason
      : `stopped after step ${ensured.step} of ${ensured.totalSteps}; nothing is lost`
  return {
    text: `${id} is judged by ${name}, which is not finished: ${reason}. The same command goes on.`,
    json: { finished: false, waitsFor: name, reason },
    exitCode: 3,
  }
}
