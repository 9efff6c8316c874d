import { test } from "tap"
import { FINEWEB_SP1024 } from "../../src/metric/contract/builders.js"
import { KNOWN_SLICES } from "../../src/audit/known-slices.js"
import { chunkedWindows } from "../../src/metric/code/sliding.js"
import { inferRatio } from "../../src/audit/infer.js"

const [whole, windows, long, older] = KNOWN_SLICES

void test("the totals of the validation file, to the token and to the byte", (t) => {
  // A 16-bit token each after a header of 1024 bytes: the file is 124 044 716 bytes (parameter-golf manifest).
  t.equal(1024 + 2 * whole!.tokens, 124_044_716)
  // A third party's script holds bytes / (tokens - 1) as 2.43593029198018840; one byte more adds 1.6e-8.
  t.equal(whole!.bytes / (whole!.tokens - 1), 2.4359302919801884)
  t.match(FINEWEB_SP1024, { tokens: whole!.tokens, bytes: whole!.bytes })
  t.end()
})

void test("the totals of the scored slices follow from whole windows and from logs", (t) => {
  for (const length of [512, 1024, 2048, 4096, 8192])
    t.equal(chunkedWindows(whole!.tokens - 1, length).length * length, windows!.tokens, `${length}`)
  t.equal(chunkedWindows(whole!.tokens - 1, 32_768).length * 32_768, long!.tokens)
  // val_loss and val_bpb as logs print them; eight decimals leave about one byte either way.
  for (const [slice, loss, bpb] of [
    [windows, "2.06492760", "1.22296644"],
    [windows, "2.03860961", "1.20737944"],
    [long, "2.48252747", "1.47025754"],
    [older, "2.07269931", "1.22436570"],
  ] as const) {
    const { bytes } = inferRatio({ loss, bpb, tokens: slice!.tokens })
    t.equal(Math.round(bytes!.value), slice!.bytes, slice!.name)
  }
  t.end()
})
