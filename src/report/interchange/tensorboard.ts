/**
 * Curves as a TensorBoard event file: TFRecords (length, masked CRC-32C of it, data, masked CRC-32C of that), each an
 * Event of protocol buffers with scalar summaries. The same events give the same bytes.
 *
 * Formats: tensorflow/core/lib/io/record_writer, tensorflow/core/util/event.proto, framework/summary.proto.
 */
import { smoothed, type TrainingCurves } from "../../analysis/curves.js"

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc >>> 0
})

/** CRC-32C (Castagnoli), as in RFC 3720, appendix B.4. */
export const crc32c = (bytes: Uint8Array): number => {
  let crc = 0xffffffff
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

/** Rotated and shifted, so that a checksum of data that holds checksums is sound. */
export const maskedCrc = (bytes: Uint8Array): number => {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

const record = (data: Uint8Array): Uint8Array => {
  const bytes = new Uint8Array(data.byteLength + 16)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, BigInt(data.byteLength), true)
  view.setUint32(8, maskedCrc(bytes.subarray(0, 8)), true)
  bytes.set(data, 12)
  view.setUint32(12 + data.byteLength, maskedCrc(data), true)
  return bytes
}

const concat = (parts: readonly Uint8Array[]): Uint8Array => {
  const whole = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  return whole
}

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5

/** @param value a whole number from 0 to 2^53 - 1 */
const varint = (value: number): Uint8Array => {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
  return Uint8Array.from([...bytes, rest])
}

const field = (number: number, wire: number, content: Uint8Array): Uint8Array =>
  concat([varint(number * 8 + wire), ...(wire === BYTES ? [varint(content.byteLength)] : []), content])

const double = (value: number): Uint8Array => {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value, true)
  return new Uint8Array(view.buffer)
}

const float = (value: number): Uint8Array => {
  const view = new DataView(new ArrayBuffer(4))
  view.setFloat32(0, value, true)
  return new Uint8Array(view.buffer)
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** Event: wall_time 1, step 2, file_version 3, summary 5. */
const event = (time: number, step: number, content: Uint8Array): Uint8Array =>
  concat([field(1, FIXED64, double(time)), field(2, VARINT, varint(step)), content])

/** Summary: value 1; Summary.Value: tag 1, simple_value 2. */
const scalar = (tag: string, value: number): Uint8Array =>
  field(1, BYTES, concat([field(1, BYTES, text(tag)), field(2, FIXED32, float(value))]))

interface Point {
  readonly time: number
  readonly step: number
  readonly values: readonly (readonly [tag: string, value: number])[]
}

const pointsOf = ({ steps, validation }: TrainingCurves): readonly Point[] => {
  const smooth = smoothed(steps.map(({ step, loss }) => ({ x: step, y: loss })))
  const taken = steps.map(({ time, step, loss, gradNorm, learningRate, tokensPerSecond }, index): Point => ({
    time,
    step,
    values: (
      [
        ["train/loss", loss],
        ["train/loss_smoothed", smooth[index]!.y],
        ["train/gradient_norm", gradNorm],
        ["train/learning_rate", learningRate],
        ["train/tokens_per_second", tokensPerSecond],
      ] as const
    ).flatMap(([tag, value]) => (value === undefined ? [] : [[tag, value] as const])),
  }))
  const watched = validation.map(({ time, step, natsPerToken }): Point => ({
    time,
    step,
    values: [["validation/nats_per_token", natsPerToken]],
  }))
  return [...taken, ...watched].sort((a, b) => a.step - b.step || a.time - b.time)
}

/** Name and bytes of the file; undefined for a run that recorded nothing. */
export const tensorboardFile = (
  curves: TrainingCurves,
): { readonly name: string; readonly bytes: Uint8Array } | undefined => {
  const points = pointsOf(curves)
  const [first] = points
  if (first === undefined) return undefined
  const began = points.reduce((least, { time }) => Math.min(least, time), Infinity)
  return {
    name: `tensorboard/${curves.run}/events.out.tfevents.${Math.floor(began)}.repro`,
    bytes: concat([
      record(event(began, 0, field(3, BYTES, text("brain.Event:2")))),
      ...points.map(({ time, step, values }) =>
        record(event(time, step, field(5, BYTES, concat(values.map(([tag, value]) => scalar(tag, value)))))),
      ),
    ]),
  }
}
