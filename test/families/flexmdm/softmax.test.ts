/** Classes of the token head: the pieces alone, or every row of the table, as published. */
import { test } from "tap"
import { networkOf } from "../../../src/families/traced.js"
import { initialState } from "../../../src/train/state.js"
import { shapeFor } from "../../../src/train/layout.js"
import * as tf from "../../../src/model/tf.js"
import { TOKENIZER, tinyFlexmdm, VOCABULARY } from "./tiny.js"

const int = (values: readonly number[], shape: number[]): tf.Tensor => tf.tensor(values, shape, "int32")

test("MASK and PAD take their share of an untrained head where the table is the softmax's", async (t) => {
  await tf.useCpuBackend()
  for (const [softmax, classes] of [
    ["pieces", VOCABULARY],
    ["table", VOCABULARY + 2],
  ] as const) {
    const experiment = tinyFlexmdm({ model: { softmax } })
    const network = networkOf(experiment)
    const parameters = Object.fromEntries(
      network.parameters.map(({ name }) => {
        const { data, shape } = initialState(network, experiment.training)[name]!
        return [name, tf.tensor(data, [...shape])]
      }),
    )
    const nats = network.nats(parameters, {
      inputIds: int([3, TOKENIZER.maskId, TOKENIZER.padId], [1, 3]),
      lengths: int([3], [1]),
      time: tf.tensor([0.5], [1]),
      positions: int([1], [1]),
      targets: int([4], [1]),
    })
    // The head begins at zero, so that every class has the same probability: ln of their number, to fp32.
    t.ok(Math.abs(nats.dataSync()[0]! - Math.log(classes)) < 1e-5, softmax)
    t.equal(shapeFor(experiment).classes, classes, "averaged targets are as wide")
  }
})
