import t from "tap"
import { productFlops, stepProducts } from "../../bench/products.js"
import { CPU_SHAPES, trainFlops } from "../../bench/shapes.js"

void t.test("the products listed are those of the step", (t) => {
  for (const shape of CPU_SHAPES) {
    const positions = shape.batch * shape.length
    const all = productFlops(stepProducts(shape, positions))
    // The plan's count of a step, head at every position; it also has the noise level's layers, 0.5 % at most.
    const planned = positions * trainFlops(shape)
    t.ok(all <= planned && all > 0.995 * planned, `${shape.name}: ${all} of ${planned}`)
    // derived: at one position fewer, three passes over output projection, MLP and head are left out.
    const { width } = shape
    const left = all - productFlops(stepProducts(shape, positions - 1))
    t.equal(left, 3 * 2 * (width * width + 2 * 3 * width * width + 1024 * width), shape.name)
  }
  t.end()
})
