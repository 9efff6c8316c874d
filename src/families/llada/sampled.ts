/** LLaDA, and FlexMDM made from it, as samplers run them. */
import type { SampledNetwork } from "../../samplers/executor/network.js"
import * as tf from "../../model/tf.js"
import { lladaGaps, lladaHidden, lladaLogits } from "./network.js"
import { HEAD, lladaParameters } from "./parameters.js"
import type { LladaModel } from "./schema.js"

const isHead = (name: string): boolean => name.startsWith(`${HEAD}.`)

/** @param classes ids that the head predicts; every row of its table when absent */
export const sampledLlada = (model: LladaModel, classes = model.tableRows): SampledNetwork => {
  const all = lladaParameters(model)
  const flex = model.flex !== undefined
  return {
    parameters: {
      body: all.filter(({ name }) => !isHead(name)),
      head: all.filter(({ name }) => isHead(name)),
    },
    width: model.width,
    classes,
    takes: { lengths: model.attentionMask === "honoured", time: flex },
    embeddedTime: (t) => t,
    endSlot: flex ? "extra" : "none",
    padding: model.attentionMask === "honoured" ? "unseen" : "seen",
    body: (p, feeds) => {
      const features = lladaHidden(p, feeds, model)
      return flex ? { features, gaps: lladaGaps(p, features, model) } : { features }
    },
    logits: (p, features) => {
      const logits = lladaLogits(p, features, model)
      const [count, rows] = logits.shape as [number, number]
      return classes === rows ? logits : tf.slice(logits, [0, 0], [count, classes])
    },
  }
}
