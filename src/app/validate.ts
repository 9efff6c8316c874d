import { formatProblems, SpecError } from "../spec/spec-error.js"
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
    const fingerprints = Object.fromEntries(
      await Promise.all(
        profiles.map(async (profile) => [profile, (await loadSpec(file, profile)).fingerprint] as const),
      ),
    )
    return { file, problems: [], fingerprints, text: `${file}: valid (${profiles.join(", ")})` }
  } catch (error) {
    if (!(error instanceof SpecError)) throw error
    const { file, problems } = error
    return { file, problems, fingerprints: {}, text: formatProblems(file, problems) }
  }
}
