/** What the usual metric names of evaluation harnesses mean, as far as name and task say. */
import { NOT_STATED, type Contract } from "../../metric/contract/contract.js"
import { WORDS } from "../../audit/rescore-claim.js"
import { SILENT } from "./foreign.js"

const accuracy = (title: string): Contract => ({
  ...SILENT,
  title,
  quantity: "accuracy",
  unit: "proportion",
  event: "task-items",
  bound: "estimate",
  reduction: "ratio-of-sums",
})

/** A likelihood of unstated bound kind: a harness calls a diffusion model's estimate by the same name. */
const likelihood = (title: string): Contract => ({
  ...SILENT,
  title,
  quantity: "negative-log-likelihood",
  bound: "unknown",
  event: "every-target",
  grader: "none",
})

/** What a perplexity is per. */
export type PerplexityEvent = "token" | "word" | "target"

/**
 * The contract of a perplexity.
 *
 * target: the exponential of the mean over items of the sum over the tokens of an item's target, as LAMBADA has it.
 *
 * @param event undefined where neither name nor task says
 */
export const perplexityOf = (name: string, event: PerplexityEvent | undefined): Contract => {
  const base = { ...likelihood(name), unit: "ppl", reduction: "exponential-of-mean" } as const
  switch (event) {
    case "word":
      return {
        ...base,
        denominator: { kind: "tokens", tokens: NOT_STATED, source: "white-space separated words" },
        tokenizer: { id: WORDS, digest: NOT_STATED },
      }
    case "target":
      return {
        ...base,
        event: "task-items",
        denominator: { kind: "items", items: NOT_STATED, source: "target words, one per item" },
      }
    case "token":
      return {
        ...base,
        denominator: { kind: "tokens", tokens: NOT_STATED, source: "tokens of the model's tokenizer" },
      }
    default:
      return { ...base, event: NOT_STATED }
  }
}

/** The contract of a metric by its name, or a silent one. */
export const contractOfMetric = (name: string, event?: PerplexityEvent): Contract => {
  if (name.startsWith("pass@")) return { ...accuracy(name), quantity: "pass-rate" }
  if (/^(acc|acc_norm|accuracy|exact_match|em|mcc_acc|success_rate)$/.test(name)) return accuracy(name)
  switch (name) {
    case "bits_per_byte":
    case "bpb":
    case "val_bpb":
      return {
        ...likelihood(name),
        unit: "bits/byte",
        denominator: { kind: "utf8", bytes: NOT_STATED, source: "UTF-8 length of the documents" },
        reduction: "ratio-of-sums",
      }
    case "word_perplexity":
      return perplexityOf(name, "word")
    case "token_perplexity":
      return perplexityOf(name, "token")
    case "perplexity":
    case "ppl":
      return perplexityOf(name, event)
    default:
      return { ...SILENT, title: name }
  }
}

/** Whether a smaller value is better. */
export const lowerIsBetter = (quantity: Contract["quantity"]): boolean =>
  quantity !== "accuracy" && quantity !== "pass-rate" && quantity !== "divergence"
