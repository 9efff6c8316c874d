/** LLaDA, and FlexMDM made from it, as samplers run them: with every adapter added into its layer's weight. */
import type { MergedAdapter } from "../../model/sampled-network.js"
import { loraNames } from "../../model/lora-parameters.js"
import type { SampledNetwork } from "../../samplers/executor/network.js"
import * as tf from "../../model/tf.js"
import { lladaGaps, lladaHidden, lladaLogits } from "./network.js"
import { ADAPTED, BLOCKS, HEAD, lladaParameters } from "./parameters.js"
import type { LladaModel } from "./schema.js"

const isHead = ({ name }: { readonly name: string }): boolean => name.startsWith(`${HEAD}.`)

const adaptersOf = (model: LladaModel): readonly MergedAdapter[] => {
  const { lora, layers } = model
  if (lora === undefined) return []
  const specs = new Map(lladaParameters(model).map((spec) => [spec.name, spec]))
  const adapted = Array.from({ length: layers }, (_, i) => ADAPTED.map((name) => `${BLOCKS}.${i}.${name}`))
  return [...adapted.flat(), HEAD].map((layer) => {
    const { a, b } = loraNames(layer)
    const parts = [specs.get(a)!, specs.get(b)!]
    return { weight: `${layer}.weight`, a, b, scale: lora.alpha / lora.rank, parts }
  })
}

/** @param classes ids that the head predicts; every row of its table when absent */
export const sampledLlada = (given: LladaModel, classes = given.tableRows): SampledNetwork => {
  const { lora: _lora, ...model } = given
  const all = lladaParameters(model)
  const flex = model.flex !== undefined
  const adapters = adaptersOf(given)
  const ofHead = ({ weight }: MergedAdapter): boolean => isHead({ name: weight })
  return {
    parameters: { body: all.filter((spec) => !isHead(spec)), head: all.filter(isHead) },
    merged: { body: adapters.filter((each) => !ofHead(each)), head: adapters.filter(ofHead) },
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
