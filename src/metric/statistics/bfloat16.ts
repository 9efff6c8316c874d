/** Rounding to bfloat16 (8 bits of significand), and which parameters an update of a given size can still move. */

const bits = new DataView(new ArrayBuffer(4))

/** Nearest bfloat16, ties to even, by way of float32. */
export const toBfloat16 = (x: number): number => {
  bits.setFloat32(0, x)
  const raw = bits.getUint32(0)
  if (!Number.isFinite(x) || (raw & 0x7f800000) === 0x7f800000) return bits.getFloat32(0)
  bits.setUint32(0, ((raw + 0x7fff + ((raw >>> 16) & 1)) & 0xffff0000) >>> 0)
  return bits.getFloat32(0)
}

/** A stored parameter after one update of size `update`, stored again. */
export const updatedBfloat16 = (stored: number, update: number): number =>
  toBfloat16(toBfloat16(stored) + update)

/**
 * Smallest power-of-two magnitude from which on an update of size `update` away from zero changes no bfloat16: half
 * a unit in the last place, 2^(e - 8), exceeds the update.
 */
export const frozenFrom = (update: number): number => 2 ** (Math.floor(Math.log2(update)) + 1 + 8)

/** Distance of neighbours: numbers from 2^k to 2^(k + 1) lie 2^(k - 7) apart. */
export const bfloat16Spacing = (magnitude: number): number => 2 ** (Math.floor(Math.log2(magnitude)) - 7)
