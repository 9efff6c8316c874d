/** The type of a network as samplers run it; families give it with their networks. */
export type { SampledNetwork } from "../../model/sampled-network.js"
