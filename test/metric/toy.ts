/** The toy model, which the simulation of coverage draws from too. */
export * from "../../bench/toy/model.js"
