/** GPT-2 as a spec holds it. */
import * as Schema from "effect/Schema"
import { Count, Layers, Positive } from "../../spec/common.js"

export const Gpt2Model = Schema.Struct({
  kind: Schema.Literal("gpt2"),
  layers: Layers.annotate({
    description: "Transformer blocks: 12 (gpt2), 24 (medium), 36 (large), 48 (xl).",
  }),
  width: Count.annotate({ description: "Width of the residual stream: 768, 1024, 1280, 1600." }),
  heads: Count.annotate({ description: "Attention heads: 12, 16, 20, 25." }),
  positions: Count.annotate({ description: "Learned positions, the longest sequence: 1024." }),
  tableRows: Count.annotate({ description: "Rows of the tied embedding table: 50257 as published." }),
  normEps: Positive.annotate({ description: "Epsilon of the layer norms: 1e-5 as published." }),
}).annotate({
  description:
    "GPT-2 (Radford et al. 2019): causal, learned positions, layer norms with biases before attention and MLP, tanh GELU, tied head.",
})
export type Gpt2Model = typeof Gpt2Model.Type
