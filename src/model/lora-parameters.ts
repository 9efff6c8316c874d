/** The parameters of low-rank adapters (LoRA, arXiv 2106.09685); `lora.ts` has the arithmetic. */
import { linearInit, zeros, type ParameterSpec } from "./parameters.js"

export interface Lora {
  readonly rank: number
  readonly alpha: number
}

/** Names of a layer's two matrices. */
export const loraNames = (layer: string): { readonly a: string; readonly b: string } => ({
  a: `${layer}.lora_A.weight`,
  b: `${layer}.lora_B.weight`,
})

/** The two matrices of a layer [out, fanIn]; B starts at zero, so that the layer starts as it was. */
export const loraParameters = (
  layer: string,
  out: number,
  fanIn: number,
  { rank }: Lora,
): readonly ParameterSpec[] => [
  { name: loraNames(layer).a, shape: [rank, fanIn], init: linearInit(fanIn), group: "rest" },
  { name: loraNames(layer).b, shape: [out, rank], init: zeros, group: "rest" },
]
