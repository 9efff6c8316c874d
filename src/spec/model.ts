/** The network: the union of the families' networks. */
import { networkUnion } from "../families/index.js"
import { perRegistration } from "./registration.js"

/** The union of what is registered now. */
export const modelSchema = perRegistration(networkUnion)
export const Model = modelSchema()
export type Model = typeof Model.Type
export type { GptModel } from "../families/gpt/schema.js"
export type { MdlmModel } from "../families/mdlm/schema.js"
