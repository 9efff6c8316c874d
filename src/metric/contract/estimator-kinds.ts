/** What kinds of estimators are code lengths, and which labels of bound each of them can bear. */
import { NOT_STATED, type BoundKind, type Estimator, type NotStated } from "./fields.js"

type Kind = Estimator["kind"]

/** Estimators whose value is the length of a code that both sides can run, or a bound on one. */
const CODES: ReadonlySet<Kind> = new Set([
  "discrete-elbo",
  "continuous-elbo",
  "any-order",
  "chain-rule",
  "block-elbo",
  "importance-weighted",
  "autoregressive",
])
const EXACT_CODES: ReadonlySet<Kind> = new Set(["chain-rule", "autoregressive"])

export const isCode = (kind: Kind): boolean => CODES.has(kind)
export const isExactCode = (kind: Kind): boolean => EXACT_CODES.has(kind)

/** A loss with the weight of the NELBO is one; with any other it bounds nothing. */
const isBound = (estimator: Estimator): boolean =>
  isCode(estimator.kind) || (estimator.kind === "training-objective" && estimator.weight === "nelbo")

const allowed = (estimator: Estimator): readonly BoundKind[] => {
  if (isExactCode(estimator.kind)) return ["exact", "upper-bound", "estimate", "unknown"]
  if (isBound(estimator)) return ["upper-bound", "estimate", "unknown"]
  return ["estimate", "unknown"]
}

/** The labels of bound that the estimator can bear, where the given one is not among them. */
export const boundConflict = (
  estimator: Estimator | NotStated,
  bound: BoundKind | NotStated,
): readonly BoundKind[] | undefined => {
  if (estimator === NOT_STATED || bound === NOT_STATED) return undefined
  const kinds = allowed(estimator)
  return kinds.includes(bound) ? undefined : kinds
}

/** What is expected in the place of a label that the estimator cannot bear. */
export const boundWords = (estimator: Estimator | NotStated, kinds: readonly BoundKind[]): string =>
  `${kinds.map((kind) => `"${kind}"`).join(", ")} or "${NOT_STATED}": a ${estimator === NOT_STATED ? "value" : estimator.kind} can be no other kind of bound`

/** Why a value is no code length nor a bound on one; undefined where it is. */
export const noCode = (
  estimator: Estimator | NotStated,
  bound: BoundKind | NotStated,
): string | undefined => {
  if (estimator !== NOT_STATED)
    return isBound(estimator)
      ? undefined
      : `A ${estimator.kind} is neither a code length nor a bound on one; no arithmetic makes it one.`
  // A label says at least that the source means a code length; an estimate of an unstated kind says nothing.
  return bound === "estimate" || bound === NOT_STATED
    ? "Neither the estimator nor a kind of bound is stated: nothing says that the value is a code length."
    : undefined
}
