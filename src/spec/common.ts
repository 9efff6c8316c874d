/** Building blocks shared by every schema of a spec. */
import * as Schema from "effect/Schema"

/** A positive integer, such as a count of layers or steps. */
export const Count = Schema.Int.check(Schema.isGreaterThan(0))
/** Blocks of a network. Each has parameters of its own to list; published ones have some hundred at most. */
export const Layers = Count.check(
  Schema.isLessThanOrEqualTo(1000, { expected: "at most 1000 layers" }),
).annotate({ description: "Transformer blocks." })
/** A non-negative integer. */
export const Natural = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
/** A positive finite number. */
export const Positive = Schema.Finite.check(Schema.isGreaterThan(0))
/** A non-negative finite number. */
export const NonNegative = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))
/** A number in [0, 1]. */
export const Proportion = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))
/**
 * A string of a form that an editor can check too. Where `prefix` alone is lacking, the text with it is the nearest
 * valid one.
 */
export const formed = (pattern: RegExp, expected: string, about: { readonly prefix?: string } = {}) =>
  Schema.String.check(
    Schema.isPattern(pattern, {
      ...about,
      expected,
      toJsonSchema: () => [{ pattern: pattern.source }, true],
    }),
  )
/** Words of at most `most` UTF-16 units. */
export const words = (most: number) =>
  Schema.String.check(Schema.isMaxLength(most, { expected: `at most ${most} characters` }))
/** A line of a list or table. */
export const Line = words(500)
const named = (most: number) =>
  formed(/^[a-z0-9][a-z0-9._-]*$/, "a name of lower-case letters, digits, '.', '_' and '-'").check(
    Schema.isMaxLength(most, { expected: `at most ${most} characters` }),
  )
/** A name usable in a file name and in a command line. */
export const Identifier = named(200)
/** The same where the name of a run's folder has two of them beside its time: file names end at 255 bytes. */
export const ShortIdentifier = named(80)
/** Of an experiment; see `fingerprint.ts`. */
export const Fingerprint = formed(
  /^repro-fp1:[0-9a-f]{64}$/,
  "a fingerprint, repro-fp1: and 64 hexadecimal digits",
)
/** Of RFC 6901; the root is not one. */
export const JsonPointer = formed(
  /^(\/([^~/]|~[01])+)+$/,
  "a JSON pointer into the experiment, for example /model/heads",
)
/** A SHA-256 digest in lower-case hexadecimal. */
export const Sha256 = formed(/^[0-9a-f]{64}$/, "a SHA-256 digest of 64 lower-case hexadecimal digits")
