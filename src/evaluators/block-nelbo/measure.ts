/** Evidence of mask sets of stratified sizes: blocks of the given size. */
import { evaluateBlocks } from "../blocks.js"
import type { Measure } from "../job.js"
import type { BlockNelbo } from "./part.js"

export const measure: Measure<BlockNelbo> = evaluateBlocks
