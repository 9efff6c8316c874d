/** The FlexMDM network as samplers run it. */
import { alphaAt, type JointSchedule } from "../../diffusion/insertion/schedule.js"
import type { SampledNetwork } from "../../samplers/executor/network.js"
import { flexmdmClasses, flexmdmFeatures, flexmdmGaps, flexmdmHidden } from "./network.js"
import { flexmdmParameters } from "./parameters.js"
import type { FlexmdmModel } from "./schema.js"

const isHead = (name: string): boolean => name.startsWith("output_layer.linear.")

/** @param classes ids that the head predicts; every row of its table when absent */
export const sampledFlexmdm = (
  model: FlexmdmModel,
  { insertion }: JointSchedule,
  classes = model.tableRows,
): SampledNetwork => {
  const all = flexmdmParameters(model)
  return {
    parameters: {
      body: all.filter(({ name }) => !isHead(name)),
      head: all.filter(({ name }) => isHead(name)),
    },
    width: model.width,
    classes,
    takes: { lengths: true, time: true },
    embeddedTime: model.timeInput === "time" ? (t) => t : (t) => alphaAt(insertion, t),
    endSlot: model.endSlot === "extra" ? "extra" : "none",
    padding: "unseen",
    body: (p, feeds) => {
      const hidden = flexmdmHidden(p, feeds, model)
      return { features: flexmdmFeatures(p, hidden), gaps: flexmdmGaps(p, hidden, model) }
    },
    logits: (p, features) => flexmdmClasses(p, features, classes),
  }
}
