/** What the usual metric names of evaluation harnesses mean, as far as the name alone says. */
import { NOT_STATED, type Contract } from "../../metric/contract.js"
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

/** The contract of a metric by its name, or a silent one. */
export const contractOfMetric = (name: string): Contract => {
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
      return {
        ...likelihood(name),
        unit: "ppl",
        denominator: { kind: "tokens", tokens: NOT_STATED, source: "white-space separated words" },
        tokenizer: { id: "whitespace words", digest: NOT_STATED },
        reduction: "exponential-of-mean",
      }
    case "perplexity":
    case "ppl":
      return {
        ...likelihood(name),
        unit: "ppl",
        denominator: { kind: "tokens", tokens: NOT_STATED, source: "not stated which tokens" },
        reduction: "exponential-of-mean",
      }
    default:
      return { ...SILENT, title: name }
  }
}

/** Whether a smaller value is better. */
export const lowerIsBetter = (quantity: Contract["quantity"]): boolean =>
  quantity !== "accuracy" && quantity !== "pass-rate" && quantity !== "divergence"
