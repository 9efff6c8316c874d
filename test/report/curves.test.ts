/** Curves of a training: what is smoothed, where axes end, and the event file of TensorBoard byte by byte. */
import { test } from "tap"
import { ceilingOf, smoothed, trainingCurves, type TrainingCurves } from "../../src/analysis/curves.js"
import { crc32c, maskedCrc, tensorboardFile } from "../../src/report/interchange/tensorboard.js"
import { fittedScale } from "../../src/report/plot-scale.js"
import { lossPlot, validationPlot } from "../../src/report/report-files.js"
import type { RunEvent, StoredEvent } from "../../src/run/events.js"

const at = (second: number, event: RunEvent): StoredEvent => ({
  time: new Date(1_700_000_000_000 + 1000 * second).toISOString(),
  ...event,
})
const evaluation = { kind: "discrete-elbo", id: "elbo-t8" }
const point = (step: number, nats: number): RunEvent => ({
  type: "validation",
  step,
  evaluation,
  nats,
  tokens: 2,
  windows: 1,
})

const EVENTS: readonly StoredEvent[] = [
  at(0, { type: "started" }),
  at(1, point(0, 12)),
  at(2, { type: "step", step: 1, loss: 8, gradNorm: 2, learningRate: 0.5, tokensPerSecond: 100 }),
  at(3, { type: "step", step: 2, loss: 6 }),
  at(4, point(2, 8)),
  at(5, { type: "step", step: 3, loss: null }),
  at(6, point(3, 99)),
  // Killed, and gone on with from step 2: what came after it was taken again.
  at(7, { type: "resumed", step: 2 }),
  at(8, { type: "step", step: 3, loss: 4 }),
  at(9, point(4, 6)),
]
const curves = trainingCurves("run-a", "a", EVENTS)

test("the curves are those of the trajectory that counts", (t) => {
  t.same(
    curves.steps.map(({ step, loss }) => [step, loss]),
    [
      [1, 8],
      [2, 6],
      [3, 4],
    ],
  )
  t.same(
    curves.validation.map(({ step, natsPerToken }) => [step, natsPerToken]),
    [
      [0, 6],
      [2, 4],
      [4, 3],
    ],
  )
  t.same(curves.taken, { windows: 1, evaluation: "elbo-t8" })
  t.same(trainingCurves("run-a", "a", []), { run: "run-a", name: "a", steps: [], validation: [] })
  t.end()
})

const line = (xs: readonly number[], y: (x: number) => number) => xs.map((x) => ({ x, y: y(x) }))

test("smoothing is a weighted mean of what was measured, and knows uneven steps", (t) => {
  t.same(
    smoothed(line([1, 2, 7, 30], () => 5)).map(({ y }) => Number(y.toFixed(12))),
    [5, 5, 5, 5],
    "a constant stays what it is",
  )
  t.same(smoothed([{ x: 3, y: 9 }]), [{ x: 3, y: 9 }])
  t.same(smoothed([]), [])
  // exp(-1) = 0.36788: (1 e^-1 + 2) / (e^-1 + 1) = 1.73106, by hand.
  t.equal(
    smoothed(
      [
        { x: 0, y: 1 },
        { x: 4, y: 2 },
      ],
      4,
    )[1]!.y.toFixed(5),
    "1.73106",
  )
  const noisy = line(
    Array.from({ length: 300 }, (_, x) => x),
    (x) => (x % 2 === 0 ? 1 : 3),
  )
  const calm = smoothed(noisy).slice(50)
  t.ok(
    calm.every(({ y }) => Math.abs(y - 2) < 0.1),
    "noise of 1 about 2 is a tenth",
  )
  t.end()
})

test("an axis ends where the data end, and says where", (t) => {
  const scale = fittedScale(1, 3200, 0, 100, 6, true)
  t.equal(scale.at(1), 0)
  t.equal(scale.at(3200), 100)
  t.same(
    scale.ticks.map(({ text }) => text),
    ["1000", "2000", "3000"],
  )
  t.same(
    fittedScale(0, 3600, 0, 100, 6, true).ticks.map(({ text }) => text),
    ["0", "1000", "2000", "3000", "3600"],
  )
  t.ok(fittedScale(2, 2, 0, 100, 6).ticks.length > 1, "one value has an axis, too")
  t.end()
})

test("of one run the loss stands behind its smoothed curve; of several each is smoothed", (t) => {
  t.match(lossPlot([curves]), { series: [{ name: "as recorded", faint: true }, { name: "smoothed" }] })
  t.match(lossPlot([curves, { ...curves, name: "b" }]), { series: [{ name: "a" }, { name: "b" }] })
  t.match(validationPlot([curves]), {
    title: /elbo-t8, 1 windows/,
    y: "nats/token",
    series: [
      {
        points: [
          { x: 0, y: 6 },
          { x: 2, y: 4 },
          { x: 4, y: 3 },
        ],
      },
    ],
  })
  t.equal(lossPlot([trainingCurves("r", "r", [])]), undefined)
  t.equal(validationPlot([trainingCurves("r", "r", [])]), undefined)
  t.end()
})

test("CRC-32C gives the known answers", (t) => {
  // RFC 3720, appendix B.4: 32 bytes of zeros, of ones, ascending; and the usual check value.
  t.equal(crc32c(new Uint8Array(32)), 0x8a9136aa)
  t.equal(crc32c(new Uint8Array(32).fill(255)), 0x62a8ab43)
  t.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e)
  t.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283)
  t.end()
})

/** Records of a TFRecord file, each checksum checked. */
const records = (bytes: Uint8Array): readonly Uint8Array[] => {
  const found: Uint8Array[] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let i = 0; i < bytes.byteLength;) {
    const length = Number(view.getBigUint64(i, true))
    const data = bytes.subarray(i + 12, i + 12 + length)
    if (view.getUint32(i + 8, true) !== maskedCrc(bytes.subarray(i, i + 8))) throw new Error("length")
    if (view.getUint32(i + 12 + length, true) !== maskedCrc(data)) throw new Error("data")
    found.push(data)
    i += 16 + length
  }
  return found
}

/** Fields of a protocol-buffer message: number and content. */
const fields = (bytes: Uint8Array): readonly (readonly [number, Uint8Array | number])[] => {
  const found: [number, Uint8Array | number][] = []
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let i = 0
  const varint = (): number => {
    let [value, scale] = [0, 1]
    for (;;) {
      const byte = bytes[i++]!
      value += (byte & 127) * scale
      scale *= 128
      if (byte < 128) return value
    }
  }
  while (i < bytes.byteLength) {
    const key = varint()
    const [number, wire] = [Math.floor(key / 8), key % 8]
    if (wire === 0) found.push([number, varint()])
    else if (wire === 1) found.push([number, view.getFloat64((i += 8) - 8, true)])
    else if (wire === 5) found.push([number, view.getFloat32((i += 4) - 4, true)])
    else {
      const length = varint()
      found.push([number, bytes.subarray(i, (i += length))])
    }
  }
  return found
}

const scalars = (file: Uint8Array) =>
  records(file)
    .slice(1)
    .flatMap((data) => {
      const event = new Map(fields(data))
      return fields(event.get(5) as Uint8Array).map(([, value]) => {
        const scalar = new Map(fields(value as Uint8Array))
        const tag = new TextDecoder().decode(scalar.get(1) as Uint8Array)
        return [event.get(1) as number, event.get(2) as number, tag, scalar.get(2) as number] as const
      })
    })

test("the event file holds every curve at its step and time, in records with sound checksums", (t) => {
  const { name, bytes } = tensorboardFile(curves)!
  t.equal(name, "tensorboard/run-a/events.out.tfevents.1700000001.repro")
  t.match(new TextDecoder().decode(records(bytes)[0]), /brain\.Event:2$/)
  const found = scalars(bytes)
  t.same(
    found.filter(([, , tag]) => tag === "train/loss"),
    [
      [1700000002, 1, "train/loss", 8],
      [1700000003, 2, "train/loss", 6],
      [1700000008, 3, "train/loss", 4],
    ],
  )
  t.same(
    found
      .filter(([, , tag]) => tag === "validation/nats_per_token")
      .map(([, step, , value]) => [step, value]),
    [
      [0, 6],
      [2, 4],
      [4, 3],
    ],
  )
  t.same(
    found.filter(([, step]) => step === 1).map(([, , tag, value]) => [tag, value]),
    [
      ["train/loss", 8],
      ["train/loss_smoothed", 8],
      ["train/gradient_norm", 2],
      ["train/learning_rate", 0.5],
      ["train/tokens_per_second", 100],
    ],
  )
  const long: TrainingCurves = { ...curves, steps: [{ step: 3_000_000_000, time: 1, loss: 1 }] }
  t.ok(
    scalars(tensorboardFile(long)!.bytes).some(([, step]) => step === 3_000_000_000),
    "a step beyond 32 bits",
  )
  t.equal(tensorboardFile(trainingCurves("r", "r", [])), undefined, "nothing recorded, no file")
  t.end()
})

test("a picture ends below single spikes, and says what it leaves out", (t) => {
  const calm = Array.from({ length: 200 }, (_, i) => ({ x: i + 1, y: 4 + (i % 2) }))
  t.equal(ceilingOf(calm), undefined, "ordinary noise is shown whole")
  t.equal(ceilingOf(calm.map(({ x }) => ({ x, y: 11 - x / 20 }))), undefined, "so is a long descent")
  const spiked = calm.map(({ x, y }) => ({ x, y: x === 100 ? 300 : y }))
  // Of 4 and 5, with one step of 200 at 300: lowest 4, 98th percentile 5, half of their spread above it.
  t.equal(ceilingOf(spiked), 5.5)
  // Recorded at each step first and at each twentieth later: a value stands for the steps until the next.
  const uneven = [
    ...Array.from({ length: 10 }, (_, i) => ({ x: i + 1, y: 100 })),
    ...Array.from({ length: 100 }, (_, i) => ({ x: 11 + 20 * i, y: 4 + (i % 2) })),
  ]
  t.equal(ceilingOf(uneven), 5.5, "10 steps of 2000, though 10 values of 110")
  t.equal(ceilingOf([{ x: 0, y: Number.NaN }]), undefined)

  const steps = spiked.map(({ x, y }) => ({ step: x, time: 0, loss: y }))
  const plot = lossPlot([{ ...curves, steps } as TrainingCurves])!
  t.equal(plot.ceiling, 5.5)
  t.equal(
    plot.note,
    "Cut at 5.5: 1 of 200 recorded values lies above, up to 300. The smoothed curve takes them as 5.5.",
  )
  t.ok(
    plot.series[1]!.points.every(({ y }) => y <= 5.5),
    "the smoothed curve does not remember the spike",
  )
  t.equal(plot.series[0]!.points[99]!.y, 300, "what was recorded is kept")
  const taken = [310, 6, 5, 5.5, 5].map((natsPerToken, i) => ({ step: 100 * i, natsPerToken, time: 0 }))
  // Before training 310; then from 5 to 6.
  t.equal(validationPlot([{ ...curves, validation: taken } as TrainingCurves])!.ceiling, 6.5)
  t.end()
})
