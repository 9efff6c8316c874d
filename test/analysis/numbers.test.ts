/** Printed digits: an interval's ends show no more than its resamples resolve. */
import { test } from "tap"
import { showNumber } from "../../src/analysis/numbers.js"

const shown = (low: number, high: number, method: string) =>
  showNumber({
    value: (low + high) / 2,
    unit: "bits/byte",
    boundKind: "exact",
    interval: { low, high, level: 0.95, method },
  })

void test("the ends of a bootstrap interval", (t) => {
  // Derived: an end of 2000 resamples has a standard error of 3.05 % of the half-width. Half 0.0114: 0.00035, so a unit
  // of the third decimal is resolved; half 0.06: 0.0018, so a unit of the third is not, of the second is.
  t.match(shown(1.73642, 1.75922, "bootstrap over 64 windows"), { interval: { low: "1.736", high: "1.759" } })
  t.match(shown(1.69123, 1.81123, "bootstrap over 64 windows"), {
    value: "1.751",
    interval: { low: "1.69", high: "1.81" },
  })
  t.match(shown(1.69123, 1.81123, "Student-t over 5 windows"), { interval: { low: "1.691", high: "1.811" } })
  t.end()
})
