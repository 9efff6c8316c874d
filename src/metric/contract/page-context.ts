/** What pages about evaluators share: the published windows, their context, sources that several of them cite. */
import { FINEWEB_SP1024, type ContractContext } from "./builders.js"

export const PAGE_CONTEXT: ContractContext = {
  dataset: FINEWEB_SP1024.dataset,
  split: FINEWEB_SP1024.split,
  tokenizer: { id: "sp1024" },
  boundary: "maskable",
  denominator: { kind: "byte-table" },
  eps: 1e-3,
}
export const PAGE_WINDOWS = { length: 2048, count: 500, alignment: "raw-stream" } as const

export const MDLM =
  "Sahoo et al. 2024, Simple and Effective Masked Diffusion Language Models, arXiv 2406.07524"
export const GOLF = "openai/parameter-golf, train_gpt.py: the byte table and the chunked evaluation"
