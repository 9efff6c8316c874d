/** A spec file with another training seed in one profile. */
import type { LoadedSpec } from "./spec-file.js"

type Document = Readonly<Record<string, unknown>>

/**
 * Text of a spec file whose profile `spec.profile` is the same experiment with another seed; the text itself where the
 * seed is that already. The published configuration keeps its own, so that a run with another seed says so.
 *
 * @param text the spec file that `spec` was decoded from
 */
export const withSeed = (text: string, { experiment, profile }: LoadedSpec, seed: number): string => {
  if (experiment.training.seed === seed) return text
  const document = JSON.parse(text) as Document
  if (profile === "paper")
    return `${JSON.stringify({ ...document, training: { ...(document["training"] as Document), seed } }, null, 2)}\n`
  const profiles = document["profiles"] as Readonly<Record<string, Document>>
  const overlay = profiles[profile]!
  const changed = { ...overlay, training: { ...(overlay["training"] as Document | undefined), seed } }
  return `${JSON.stringify({ ...document, profiles: { ...profiles, [profile]: changed } }, null, 2)}\n`
}
