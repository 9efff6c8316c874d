import { test } from "tap"
import { watchInterrupts } from "../../src/cli/interrupts.js"
import { recordingDisplay } from "../../src/run/display.js"

/** A turn of the event loop in which signals are handed out. */
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

test("a signal that arrives while the listeners change is not lost", async (t) => {
  let before = 0
  let stops = 0
  const earlier = (): void => void before++
  process.on("SIGINT", earlier)
  t.teardown(() => process.removeListener("SIGINT", earlier))
  const display = recordingDisplay()
  process.kill(process.pid, "SIGINT") // noted by the system, handed out in the next turn
  const stop = watchInterrupts(display, () => void stops++)
  await turn()
  t.ok(stop.requested())
  t.same([stops, before], [1, 0])
  t.match(display.recorded, [{ kind: "warn", line: /^Stopping after the step in progress/ }])
  stop.release()
  process.kill(process.pid, "SIGINT")
  await turn()
  t.equal(before, 1, "released, the earlier listener has it again")
  t.equal(stops, 1)
})
