import { test } from "tap"
import { watchInterrupts } from "../../src/app/interrupts.js"
import { recordingDisplay } from "../../src/run/display.js"

/** Signals are handed out between turns of the event loop; how soon is the system's affair. */
const until = async (happened: () => boolean): Promise<void> => {
  while (!happened()) await new Promise((resolve) => setTimeout(resolve, 5))
}

test("a signal that arrives while the listeners change is not lost", async (t) => {
  let before = 0
  let stops = 0
  const earlier = (): void => void before++
  process.on("SIGINT", earlier)
  t.teardown(() => process.removeListener("SIGINT", earlier))
  const display = recordingDisplay()
  process.kill(process.pid, "SIGINT") // noted by the system, handed out in the next turn
  const stop = watchInterrupts(display, () => void stops++)
  await until(stop.requested)
  t.ok(stop.requested())
  t.same([stops, before], [1, 0])
  t.match(display.recorded, [{ kind: "warn", line: /^Stopping after the step in progress/ }])
  stop.release()
  process.kill(process.pid, "SIGINT")
  await until(() => before > 0)
  t.equal(before, 1, "released, the earlier listener has it again")
  t.equal(stops, 1)
})

test("a closed terminal stops as Ctrl-C does, says so once, and never ends the process by saying it again", async (t) => {
  const display = recordingDisplay()
  let stops = 0
  const stop = watchInterrupts(display, () => void stops++)
  let seen = 0
  const count = (): void => void seen++
  process.on("SIGHUP", count)
  t.teardown(() => process.removeListener("SIGHUP", count))
  for (const arrivals of [1, 2, 3]) {
    process.kill(process.pid, "SIGHUP")
    await until(() => seen >= arrivals)
  }
  t.ok(stop.requested())
  t.ok(stop.signal.aborted, "what waits for a server ends")
  t.equal(stops, 1)
  t.equal(display.recorded.length, 1)
  stop.release()
})
