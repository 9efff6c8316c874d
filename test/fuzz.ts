/**
 * How many cases a fuzz draws, and from which seed. Every push draws few with a fixed seed: a fixed seed finds nothing
 * new. `REPRO_FUZZ=20000` draws that many with a fresh seed, which is printed so that `REPRO_FUZZ_SEED` repeats it.
 */
import * as fc from "fast-check"

const FIXED_SEED = 20260411

const asked = Number(process.env["REPRO_FUZZ"] ?? 0)
const seed = asked > 0 ? Number(process.env["REPRO_FUZZ_SEED"] ?? Date.now() % 2 ** 31) : FIXED_SEED
if (asked > 0) process.stderr.write(`fuzz: ${asked} cases, REPRO_FUZZ_SEED=${seed}\n`)

/** @param few cases on every push */
export const fuzz = (few: number): { readonly numRuns: number; readonly seed: number } => ({
  numRuns: asked > 0 ? asked : few,
  seed,
})

fc.configureGlobal(fuzz(100))

/** fast-check under this policy: a property without numbers of its own draws 100 cases. */
export { fc }
