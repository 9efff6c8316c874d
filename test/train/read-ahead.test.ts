/** Feeds are drawn while the device works; what they are does not depend on when. Order is asserted, never seconds. */
import { test } from "tap"
import { readAhead } from "../../src/train/read-ahead.js"

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

void test("the next steps are made while a step runs, in order, each once, and no more than asked for", async (t) => {
  const events: string[] = []
  const ahead = readAhead(
    (step) => {
      events.push(`make ${step}`)
      return Promise.resolve(step * step)
    },
    { first: 3, end: 8, depth: 2 },
  )
  t.equal(await ahead.next(), 9)
  events.push("device begins 3")
  await turns(10)
  events.push("device ends 3")
  t.same(events.slice(-2), ["make 5", "device ends 3"], "two steps were made while the device had the first")
  t.notOk(events.includes("make 6"), "and not a third")
  const rest = [await ahead.next(), await ahead.next(), await ahead.next(), await ahead.next()]
  t.same(rest, [16, 25, 36, 49])
  t.same(
    events.filter((event) => event.startsWith("make")),
    [3, 4, 5, 6, 7].map((step) => `make ${step}`),
  )
  await t.rejects(ahead.next(), /no steps after 8/)
  await ahead.close()
})

void test("making a step begins after the event loop had a turn, so that the step before is on its way", async (t) => {
  let made = 0
  const ahead = readAhead(() => Promise.resolve(++made), { first: 0, end: 3, depth: 1 })
  t.equal(made, 0)
  await ahead.next()
  t.equal(made, 1, "the next one is not made in the turn in which this one is taken")
  await turns(3)
  t.equal(made, 2)
  await ahead.close()
})

void test("a failure belongs to the step that it is of", async (t) => {
  const ahead = readAhead(
    (step) => (step === 1 ? Promise.reject(new Error("shard 1 is cut")) : Promise.resolve(step)),
    { first: 0, end: 4, depth: 2 },
  )
  t.equal(await ahead.next(), 0)
  await turns(5)
  await t.rejects(ahead.next(), /shard 1 is cut/)
  await ahead.close()
})

void test("closing waits for what is being made and begins nothing", async (t) => {
  let [begun, ended] = [0, 0]
  const ahead = readAhead(
    async () => {
      begun++
      await turns(5)
      ended++
    },
    { first: 0, end: 9, depth: 2 },
  )
  await turns(2)
  await ahead.close()
  await turns(10)
  t.equal(begun, 1)
  t.equal(ended, 1)
})
