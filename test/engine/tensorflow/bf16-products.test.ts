import t from "tap"
import { bf16Products, bf16ProductsOf } from "../../../src/engine/tensorflow/bf16-products.js"

const cpuinfo = (vendor: string, flags: string): string =>
  `processor\t: 0\nvendor_id\t: ${vendor}\nmodel name\t: a processor\nflags\t\t: fpu sse2 ${flags} ht\n\nprocessor\t: 1\n`

void t.test("bf16 is multiplied as bf16 where the processor is faster at it", (t) => {
  t.equal(bf16ProductsOf(cpuinfo("AuthenticAMD", "avx512f avx512_bf16")), "bf16", "Zen 4")
  t.equal(bf16ProductsOf(cpuinfo("GenuineIntel", "avx512_bf16 amx_bf16 amx_tile")), "bf16", "tiles")
  t.equal(bf16ProductsOf(cpuinfo("GenuineIntel", "avx512f avx512_bf16")), "fp32", "no tiles")
  t.equal(bf16ProductsOf(cpuinfo("AuthenticAMD", "avx2")), "fp32", "Zen 2")
  t.equal(bf16ProductsOf("processor\t: 0\nFeatures\t: fp asimd\n"), "fp32", "ARM")
  t.equal(bf16ProductsOf(""), "fp32", "nothing known")
  t.end()
})

void t.test("a GPU multiplies bf16 as bf16; this processor has an answer", (t) => {
  t.equal(bf16Products("gpu"), "bf16")
  t.ok(["bf16", "fp32"].includes(bf16Products("cpu")))
  t.end()
})
