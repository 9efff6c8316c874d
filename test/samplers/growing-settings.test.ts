/** What a person asks for, as settings of the samplers of growing rows. */
import t from "tap"
import { LINEAR } from "../../src/diffusion/insertion/schedule.js"
import { growingSettings, requireTrainedSchedule } from "../../src/samplers/flexmdm/settings.js"

const choice = { temperature: 1, topP: 1 }

t.test("settings", (t) => {
  t.equal(growingSettings({ sampler: "events", choice }).kind, "events")
  t.match(growingSettings({ sampler: "events", confidence: "top_prob", choice }), {
    kind: "events",
    settings: { confidence: "top_prob" },
  })
  const tau = growingSettings({ sampler: "tau", steps: 8, choice })
  t.match(tau, {
    kind: "steps",
    settings: { unmasking: { kind: "leap", fire: "survival" }, overflow: "cancel" },
  })
  const euler = growingSettings({ sampler: "euler", steps: 8, overflow: "fill", choice })
  t.match(euler, { settings: { insertion: "bernoulli", overflow: "fill" } })
  const sure = growingSettings({
    sampler: "confidence",
    steps: 8,
    confidence: "entropy",
    hazard: "off",
    choice,
  })
  t.match(sure, { settings: { unmasking: { by: "entropy", hazard: false, tokens: "draw" } } })
  t.throws(() => growingSettings({ sampler: "tau", choice }), /steps: expected/)
  t.throws(() => growingSettings({ sampler: "events", steps: 8, choice }), /no steps/)
  t.throws(
    () => growingSettings({ sampler: "tau", steps: 8, hazard: "off", choice }),
    /belongs to the sampler/,
  )
  t.end()
})

t.test("the schedule trained with", (t) => {
  t.doesNotThrow(() => requireTrainedSchedule(LINEAR, { ...LINEAR }))
  t.throws(
    () => requireTrainedSchedule(LINEAR, { ...LINEAR, insertion: { kind: "sine" } }),
    /other schedules.*insertion sine for linear/,
  )
  t.end()
})
