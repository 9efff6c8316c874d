import { SpecError } from "../spec/spec-error.js"
import { loadSpec } from "../spec/spec-file.js"
import { knownClaims } from "./claims.js"
import { locateSpec, specFiles } from "./locate.js"
import type { Outcome } from "./outcome.js"

/** Checks specs in every profile. Exit code 2 when one is invalid. */
export const validate = async (given: readonly string[]): Promise<Outcome> => {
  const targets = given.length > 0 ? given : await specFiles()
  const known = await knownClaims()
  const reports = await Promise.all(targets.map((target) => validateOne(target, known)))
  const invalid = reports.filter(({ problems }) => problems.length > 0)
  return {
    text: reports.map(({ text }) => text).join("\n"),
    json: { valid: invalid.length === 0, specs: reports.map(({ text: _text, ...rest }) => rest) },
    exitCode: invalid.length === 0 ? 0 : 2,
  }
}

const validateOne = async (given: string, known: ReadonlySet<string>) => {
  try {
    const file = await locateSpec(given)
    const { profiles } = await loadSpec(file, "paper", known)
    const fingerprints: Record<string, string> = {}
    for (const profile of profiles) fingerprints[profile] = (await loadSpec(file, profile)).fingerprint
    return { file, problems: [], more: 0, fingerprints, text: `${file}: valid (${profiles.join(", ")})` }
  } catch (error) {
    if (!(error instanceof SpecError)) throw error
    const { file, problems, more } = error
    return { file, problems, more, fingerprints: {}, text: error.message }
  }
}
