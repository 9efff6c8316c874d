/** The toy model behind the interface of a network. */
export * from "../../bench/toy/scorer.js"
