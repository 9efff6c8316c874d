/**
 * Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
 *
 * A stream is a key made from (seed, name). A site is up to three coordinates within it, such as (step, row).
 * Number i of a site is a pure function of (seed, name, site, i): any draw can be made alone, in any order, in
 * any process, and drawing more of one thing never shifts another.
 */

/** init: weights; data: which sequences; time: noise levels; mask: corruption in training; eval-mask: in evaluation; sample: generation. */
export const STREAMS = ["init", "data", "time", "mask", "dropout", "eval-mask", "sample", "items"] as const
export type StreamName = (typeof STREAMS)[number]

export interface Stream {
  readonly seed: number
  readonly name: string
  readonly key0: number
  readonly key1: number
}

/** Up to three coordinates, each an integer in [0, 2^32); missing ones are 0. */
export type Site = readonly number[]

const M0 = 0xd2511f53
const M1 = 0xcd9e8d57
const W0 = 0x9e3779b9
const W1 = 0xbb67ae85
const TWO_32 = 4294967296

/** High 32 bits of the 64-bit product of an unsigned 32-bit integer and the constant (high, low), in 16-bit halves. */
const mulHigh = (a: number, high: number, low: number): number => {
  const al = a & 0xffff
  const ah = a >>> 16
  const cross = Math.imul(ah, low)
  const middle = (cross & 0xffff) + (Math.imul(al, low) >>> 16)
  // Each term stays below 2^32, so the sum is right modulo 2^32, which is all the high word needs.
  const carry = (middle + (Math.imul(al, high) & 0xffff)) >>> 16
  return (Math.imul(ah, high) + (cross >>> 16) + (Math.imul(al, high) >>> 16) + carry) | 0
}

/** Writes `blocks` blocks of four words, of counters (first + b, c1, c2, c3). */
const fillBlocks = (
  out: Int32Array,
  blocks: number,
  first: number,
  c1: number,
  c2: number,
  c3: number,
  key0: number,
  key1: number,
): void => {
  for (let b = 0; b < blocks; b++) {
    let x0 = (first + b) | 0
    let x1 = c1 | 0
    let x2 = c2 | 0
    let x3 = c3 | 0
    let k0 = key0 | 0
    let k1 = key1 | 0
    for (let round = 0; round < 10; round++) {
      const h0 = mulHigh(x0, M0 >>> 16, M0 & 0xffff)
      const l0 = Math.imul(x0, M0)
      const h1 = mulHigh(x2, M1 >>> 16, M1 & 0xffff)
      const l1 = Math.imul(x2, M1)
      x0 = h1 ^ x1 ^ k0
      x1 = l1
      x2 = h0 ^ x3 ^ k1
      x3 = l0
      k0 = (k0 + W0) | 0
      k1 = (k1 + W1) | 0
    }
    const at = b << 2
    out[at] = x0
    out[at + 1] = x1
    out[at + 2] = x2
    out[at + 3] = x3
  }
}

/** One block: four unsigned 32-bit words of a counter under a key. */
export const philox = (
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): readonly [number, number, number, number] => {
  const out = new Int32Array(4)
  fillBlocks(out, 1, counter[0], counter[1], counter[2], counter[3], key[0], key[1])
  return [out[0]! >>> 0, out[1]! >>> 0, out[2]! >>> 0, out[3]! >>> 0]
}

/** FNV-1a of the UTF-8 text: a coordinate for a name. */
export const nameCoordinate = (text: string): number => {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}

/**
 * The stream of a seed and a name. The key is one Philox block of the name under the seed, so that streams of
 * neighbouring seeds share nothing.
 *
 * @throws RangeError when the seed is not an integer in [0, 2^53)
 */
export const stream = (seed: number, name: StreamName): Stream => {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new RangeError(`seed: expected an integer from 0 to 2^53 - 1, found ${seed}`)
  const [key0, key1] = philox([nameCoordinate(name), 0, 0, 0], [seed >>> 0, Math.floor(seed / TWO_32)])
  return { seed, name, key0, key1 }
}

const coordinates = (site: Site): readonly [number, number, number] => {
  if (site.length > 3) throw new RangeError(`a site has at most three coordinates, found ${site.length}`)
  for (const c of site) {
    if (!Number.isInteger(c) || c < 0 || c >= TWO_32)
      throw new RangeError(`a coordinate is an integer from 0 to 2^32 - 1, found ${c}`)
  }
  return [site[0] ?? 0, site[1] ?? 0, site[2] ?? 0]
}

/** Words [start, start + count) of a site, as signed 32-bit integers. */
const words = ({ key0, key1 }: Stream, site: Site, count: number, start = 0): Int32Array => {
  const [c1, c2, c3] = coordinates(site)
  const first = Math.floor(start / 4)
  const skip = start - first * 4
  const blocks = Math.ceil((skip + count) / 4)
  const out = new Int32Array(blocks * 4)
  fillBlocks(out, blocks, first, c1, c2, c3, key0, key1)
  return out.subarray(skip, skip + count)
}

/** Uniforms in [0, 1) with 53 random bits: numbers [start, start + count) of a site. */
export const uniforms = (source: Stream, site: Site, count: number, start = 0): Float64Array => {
  const w = words(source, site, 2 * count, 2 * start)
  const out = new Float64Array(count)
  for (let i = 0; i < count; i++)
    out[i] = ((w[2 * i]! >>> 5) * 67108864 + (w[2 * i + 1]! >>> 6)) / 9007199254740992
  return out
}

/** Uniforms in [0, 1) with 32 random bits, one word each: twice as fast, and fine enough to mask tokens with. */
export const uniforms32 = (source: Stream, site: Site, count: number, start = 0): Float64Array => {
  const w = words(source, site, count, start)
  const out = new Float64Array(count)
  for (let i = 0; i < count; i++) out[i] = (w[i]! >>> 0) / TWO_32
  return out
}

/** Uniforms in [0, 1) that float32 holds exactly: 24 random bits, one word each. */
export const uniformsFloat32 = (source: Stream, site: Site, count: number, start = 0): Float32Array => {
  const w = words(source, site, count, start)
  const out = new Float32Array(count)
  for (let i = 0; i < count; i++) out[i] = (w[i]! >>> 8) / 16777216
  return out
}

/** 1 with probability p, else 0, to a resolution of 2^-32. */
export const bernoulli = (source: Stream, site: Site, p: number, count: number, start = 0): Uint8Array => {
  const w = words(source, site, count, start)
  const limit = p * TWO_32
  const out = new Uint8Array(count)
  for (let i = 0; i < count; i++) out[i] = w[i]! >>> 0 < limit ? 1 : 0
  return out
}

const RETRY = 2 ** 26

/**
 * Unbiased integers in [0, n): Lemire's multiplication with rejection. Number i has counter block i to itself,
 * and block i + r 2^26 for retry r.
 *
 * @throws RangeError unless 1 <= n <= 2^32 and start + count <= 2^26
 */
export const integersBelow = (
  source: Stream,
  site: Site,
  n: number,
  count: number,
  start = 0,
): Float64Array => {
  if (!Number.isInteger(n) || n < 1 || n > TWO_32)
    throw new RangeError(`integers below n need n from 1 to 2^32, found ${n}`)
  if (start + count > RETRY)
    throw new RangeError(`at most 2^26 integers per site, asked for ${start + count}`)
  const [c1, c2, c3] = coordinates(site)
  const block = new Int32Array(4)
  const reject = TWO_32 % n
  const out = new Float64Array(count)
  for (let i = 0; i < count; i++) {
    out[i] = -1
    for (let retry = 0; retry < 64 && out[i] === -1; retry++) {
      fillBlocks(block, 1, start + i + retry * RETRY, c1, c2, c3, source.key0, source.key1)
      for (let j = 0; j < 4 && out[i] === -1; j++) {
        const word = block[j]! >>> 0
        // word * n = high * 2^32 + low, without a 64-bit product: low is exact modulo 2^32.
        const low = Math.imul(word, n) >>> 0
        if (low >= reject) out[i] = Math.round((word * n - low) / TWO_32)
      }
    }
    if (out[i] === -1) throw new RangeError(`no integer below ${n} in 256 words`)
  }
  return out
}

/** Standard normal numbers by Box and Muller's transform in float64; numbers 2j and 2j+1 share one block. */
export const normals = (source: Stream, site: Site, count: number): Float64Array => {
  const u = uniforms(source, site, 2 * Math.ceil(count / 2))
  const out = new Float64Array(count)
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - u[i]!))
    const angle = 2 * Math.PI * u[i + 1]!
    out[i] = radius * Math.cos(angle)
    if (i + 1 < count) out[i + 1] = radius * Math.sin(angle)
  }
  return out
}
