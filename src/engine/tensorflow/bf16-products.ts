/** What a matrix product of bf16 operands is best computed in on this machine. */
import { readFileSync } from "node:fs"
import type { LowerOptions } from "./lowering.js"

/**
 * From the text of /proc/cpuinfo: bf16 where the processor multiplies bf16 faster than fp32, which are those with
 * AMX tiles and AMD's with AVX-512 BF16 (1.5 times on Zen 4). Elsewhere fp32: the operands are rounded to bf16 all
 * the same, and their products, exact in fp32, are summed in fp32: on an Intel processor with AVX-512 BF16 but without
 * AMX a train step was 1.4 times faster that way (bench/RESULTS.md).
 */
export const bf16ProductsOf = (cpuinfo: string): LowerOptions["bf16Products"] => {
  const flags = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1]?.split(/\s+/) ?? [])
  const amd = /^vendor_id\s*:\s*AuthenticAMD$/m.test(cpuinfo)
  return flags.has("amx_bf16") || (amd && flags.has("avx512_bf16")) ? "bf16" : "fp32"
}

/** The form for a device of this machine; a GPU has units for bf16. */
export const bf16Products = (device: "cpu" | "gpu"): LowerOptions["bf16Products"] => {
  if (device === "gpu") return "bf16"
  try {
    return bf16ProductsOf(readFileSync("/proc/cpuinfo", "utf8"))
  } catch {
    return "fp32"
  }
}
