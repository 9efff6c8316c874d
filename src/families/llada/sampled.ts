/** LLaDA, and FlexMDM made from it, as samplers run them. */
import type { SampledNetwork } from "../../samplers/executor/network.js"
import { lladaGaps, lladaHidden, lladaLogits } from "./network.js"
import { HEAD, lladaParameters } from "./parameters.js"
import type { LladaModel } from "./schema.js"

const isHead = (name: string): boolean => name.startsWith(`${HEAD}.`)

export const sampledLlada = (model: LladaModel): SampledNetwork => {
  const all = lladaParameters(model)
  const flex = model.flex !== undefined
  return {
    parameters: {
      body: all.filter(({ name }) => !isHead(name)),
      head: all.filter(({ name }) => isHead(name)),
    },
    width: model.width,
    classes: model.tableRows,
    takes: { lengths: model.attentionMask === "honoured", time: flex },
    embeddedTime: (t) => t,
    endSlot: flex ? "extra" : "none",
    padding: model.attentionMask === "honoured" ? "unseen" : "seen",
    body: (p, feeds) => {
      const features = lladaHidden(p, feeds, model)
      return flex ? { features, gaps: lladaGaps(p, features, model) } : { features }
    },
    logits: (p, features) => lladaLogits(p, features, model),
  }
}
