/** Evidence of mask sets of stratified sizes: one block as long as the window. */
import { evaluateBlocks } from "../blocks.js"
import type { Measure } from "../job.js"
import type { AnyOrder } from "./part.js"

export const measure: Measure<AnyOrder> = evaluateBlocks
