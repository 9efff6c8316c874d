import { fc, fuzz } from "../fuzz.js"
import { test } from "tap"
import { readWire, WireError, WireWriter } from "../../src/files/wire.js"

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
const only = (bytes: Uint8Array) => {
  const fields = [...readWire(bytes)]
  if (fields.length !== 1) throw new Error(`${fields.length} fields`)
  return fields[0]!
}
const read = (text: string) => () => [...readWire(Buffer.from(text, "hex"))]

test("examples of the protobuf encoding guide", async (t) => {
  // protobuf.dev/programming-guides/encoding: field 1 = 150; field 2 = "testing"; nested field 3; packed field 6;
  // int32 -2 takes ten bytes.
  t.equal(hex(new WireWriter().varint(1, 150).finish()), "089601")
  t.equal(hex(new WireWriter().string(2, "testing").finish()), "120774657374696e67")
  t.equal(hex(new WireWriter().message(3, (m) => m.varint(1, 150)).finish()), "1a03089601")
  t.equal(hex(new WireWriter().packedVarint(6, [3, 270, 86942]).finish()), "3206038e029ea705")
  t.equal(hex(new WireWriter().varint(1, -2).finish()), "08feffffffffffffffff01")
  // IEEE 754: 1.5f = 0x3fc00000, 1.5 = 0x3ff8000000000000, little-endian.
  t.equal(hex(new WireWriter().float(1, 1.5).finish()), "0d0000c03f")
  t.equal(hex(new WireWriter().double(1, 1.5).finish()), "09000000000000f83f")
  t.equal(hex(new WireWriter().fixed32(1, 0xffffffff).finish()), "0dffffffff")
  t.equal(hex(new WireWriter().packedFloat(4, [1.5]).finish()), "22040000c03f")
  t.equal(new WireWriter().packedVarint(1, []).packedFloat(2, []).finish().length, 0)
  t.throws(() => new WireWriter().varint(1, 0.5), RangeError)
})

test("what is written is read back", async (t) => {
  fc.assert(
    fc.property(
      fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
      fc.maxSafeInteger(),
      fc.string({ unit: "binary" }),
      fc.array(fc.integer()),
      fc.float32Array({ noNaN: true }),
      fc.double({ noNaN: true }),
      fc.integer({ min: 1, max: 2 ** 29 - 1 }),
      (big, safe, text, list, floats, double, field) => {
        t.equal(BigInt.asIntN(64, only(new WireWriter().varint(field, big).finish()).bits()), big)
        const back = only(new WireWriter().varint(field, safe).finish())
        t.equal(back.integer(), safe)
        t.equal(back.number, field)
        t.equal(only(new WireWriter().string(field, text).finish()).string(), text)
        t.equal(only(new WireWriter().double(field, double).finish()).double(), double)
        if (list.length > 0) t.same(only(new WireWriter().packedVarint(1, list).finish()).integers(), list)
        if (floats.length > 0) t.same(only(new WireWriter().packedFloat(1, floats).finish()).floats(), floats)
      },
    ),
    fuzz(100),
  )
})

test("large nested byte fields are copied once", async (t) => {
  // 64 MB under six levels; copying per level or per append would take seconds and several hundred MB.
  const weights = new Uint8Array(64e6).fill(7)
  const before = process.memoryUsage().arrayBuffers
  const nest = (depth: number) => (w: WireWriter) => {
    if (depth === 0) w.varint(1, 5).bytes(2, weights).varint(3, 6)
    else w.message(4, nest(depth - 1))
  }
  const writer = new WireWriter()
  nest(6)(writer)
  t.ok(process.memoryUsage().arrayBuffers - before < 1e6, "nothing is copied before finish")
  let bytes: Uint8Array = writer.finish()
  for (let depth = 0; depth < 6; depth++) bytes = only(bytes).bytes()
  const [five, data, six] = [...readWire(bytes)]
  t.equal(five?.integer(), 5)
  t.equal(Buffer.compare(data!.bytes(), weights), 0)
  t.equal(six?.integer(), 6)
})

test("bytes that are no message are refused", async (t) => {
  t.throws(read("08"), WireError)
  t.throws(read("0896"), /ends inside a number/)
  t.throws(read("1205aa"), /field 2 needs 5 bytes but 1 are left/)
  t.throws(read("0d0000"), /needs 4 bytes/)
  t.throws(read("0b"), /unknown wire type 3/)
  t.throws(read("0001"), /number 0/)
  t.throws(read("08ffffffffffffffffffffff01"), /longer than ten bytes/)
  t.throws(() => only(Buffer.from("089601", "hex")).string(), /not length-delimited/)
})
