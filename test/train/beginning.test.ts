/** Which tensor of which file each parameter begins as, and what is said of files that do not fit. */
import t from "tap"
import { DataError } from "../../src/files/errors.js"
import type { ParameterSpec } from "../../src/model/parameters.js"
import { takeWeights, type WeightsFile } from "../../src/train/beginning.js"

const init = { kind: "constant", value: 0 } as const
const spec = (name: string, shape: readonly number[], frozen = false): ParameterSpec => ({
  name,
  shape,
  init,
  group: "rest",
  ...(frozen ? { frozen: true, storage: "bf16" } : {}),
})
const specs = [spec("a.weight", [2, 3], true), spec("b.weight", [4], true), spec("lora", [2])]

const file = (
  path: string,
  offered: Readonly<Record<string, readonly [stored: string, shape: readonly number[], dtype?: string]>>,
  others: readonly string[] = [],
): WeightsFile => ({
  path,
  sha256: path,
  offered: new Map(
    Object.entries(offered).map(([name, [stored, shape, dtype = "F32"]]) => [name, { stored, shape, dtype }]),
  ),
  others,
})

const refused = (files: readonly WeightsFile[]): string => {
  try {
    takeWeights(specs, files, "child")
  } catch (error) {
    if (error instanceof DataError) return error.message
    throw error
  }
  return "taken"
}

const whole = file("base", { "a.weight": ["a.weight", [2, 3]], "b.weight": ["model.b", [4]] }, [
  "adam.m/a.weight",
])

t.test("the nearest stage that has a parameter gives it; what no file has is drawn", (t) => {
  const tuned = file("tuned", { lora: ["ema/lora", [2]] }, ["lora", "adam.m/lora"])
  const { source, taken, base } = takeWeights(specs, [tuned, whole], "child")
  t.same([...taken].sort(), ["a.weight", "b.weight", "lora"])
  t.same(
    source.tensors.map(({ name, stored, storage }) => [name, stored, storage]),
    [
      ["a.weight", "a.weight", "bf16"],
      ["b.weight", "model.b", "bf16"],
      ["lora", "ema/lora", undefined],
    ],
  )
  t.same([...(source.unused ?? [])].sort(), ["adam.m/a.weight", "adam.m/lora", "lora"])
  const alone = takeWeights(specs, [whole], "child")
  t.same([...alone.taken].sort(), ["a.weight", "b.weight"])
  t.equal(alone.base, base, "the base is what is frozen, whatever is trained on it")
  const other = takeWeights(specs, [{ ...whole, sha256: "another" }], "child")
  t.not(other.base, base)
  t.equal(takeWeights([spec("lora", [2])], [tuned], "child").base, undefined)
  t.end()
})

t.test("files that do not fit are refused in a sentence that names the tensor and the cure", (t) => {
  t.match(
    refused([file("half", { "a.weight": ["a.weight", [2, 3]] })]),
    /^child: the weights that it begins with lack 1 of the 2 frozen tensors: b\.weight\. Name every file/,
    "a missing shard",
  )
  t.match(
    refused([file("turned", { "a.weight": ["a.weight", [3, 2]], "b.weight": ["b", [4]] })]),
    /^turned: the tensor a\.weight is \[3, 2\], and the network's a\.weight is \[2, 3\]/,
    "a wrong shape",
  )
  t.match(
    refused([file("named", { "x.weight": ["x.weight", [2, 3]], "b.weight": ["b", [4]] })]),
    /lack 1 of the 2 frozen tensors: a\.weight\. named has x\.weight, which the network does not have: init\.names/,
    "a wrong name map",
  )
  t.match(
    refused([file("more", { "a.weight": ["a", [2, 3]], "b.weight": ["b", [4]], "c.weight": ["c", [1]] })]),
    /hold tensors that nothing takes\. more has c, .*null there leaves one out/,
    "a tensor that is left over",
  )
  t.match(
    refused([file("narrow", { "a.weight": ["a", [2, 3], "I8"], "b.weight": ["b", [4]] })]),
    /holds I8, not floating-point numbers/,
    "quantised weights",
  )
  t.end()
})
