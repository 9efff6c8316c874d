/** The spec that a command line names, with what it sets. */
import { withSettings } from "../spec/settings.js"
import { loadSpec, type LoadedSpec, type Profile } from "../spec/spec-file.js"
import { knownClaims } from "./claims.js"
import { locateSpec } from "./locate.js"

/** @throws SpecError when no spec is called so, it is not valid, or a setting makes it so */
export const openSpec = async (
  given: string,
  profile: Profile,
  settings: readonly string[] = [],
): Promise<LoadedSpec> =>
  withSettings(await loadSpec(await locateSpec(given), profile, await knownClaims()), settings)
