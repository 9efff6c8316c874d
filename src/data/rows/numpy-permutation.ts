/**
 * The permutation of `numpy.random.default_rng(seed).permutation(n)`, which the hub's `train_test_split` cuts: NumPy's
 * SeedSequence, PCG64 (XSL-RR 128/64; O'Neill 2014) and a Fisher-Yates shuffle by masked rejection.
 */

const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n
const M64 = (1n << 64n) - 1n
const M128 = (1n << 128n) - 1n

const mix = (x: number, y: number): number => {
  const product = Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y)
  return product ^ (product >>> 16)
}

/** Eight 32-bit words of a seed below 2^53, as NumPy's SeedSequence(seed).generate_state gives them. */
const seedWords = (seed: number): readonly number[] => {
  let constant = 0x43b0d7e5
  const hash = (value: number): number => {
    const mixed = value ^ constant
    constant = Math.imul(constant, 0x931e8875)
    const product = Math.imul(mixed, constant)
    return product ^ (product >>> 16)
  }
  const entropy = [seed >>> 0, Math.floor(seed / 2 ** 32), 0, 0]
  const pool = entropy.map(hash)
  for (let source = 0; source < 4; source++)
    for (let target = 0; target < 4; target++)
      if (source !== target) pool[target] = mix(pool[target]!, hash(pool[source]!))
  let out = 0x8b51f9dd
  return Array.from({ length: 8 }, (_, i) => {
    const mixed = pool[i % 4]! ^ out
    out = Math.imul(out, 0x58f38ded)
    const product = Math.imul(mixed, out)
    return (product ^ (product >>> 16)) >>> 0
  })
}

/** Draws of 32 bits: the low half of each number of 64 first. */
const draws = (seed: number): (() => number) => {
  const words = seedWords(seed).map(BigInt)
  const pair = (i: number): bigint => words[2 * i]! | (words[2 * i + 1]! << 32n)
  const increment = ((((pair(2) << 64n) | pair(3)) << 1n) | 1n) & M128
  let state = increment
  const step = (): void => void (state = (state * MULTIPLIER + increment) & M128)
  state = (state + ((pair(0) << 64n) | pair(1))) & M128
  step()
  let rest: number | undefined
  return () => {
    if (rest !== undefined) {
      const value = rest
      rest = undefined
      return value
    }
    step()
    const mixed = (state >> 64n) ^ (state & M64)
    const turn = state >> 122n
    const value = ((mixed >> turn) | (mixed << (64n - turn))) & M64
    rest = Number(value >> 32n)
    return Number(value & 0xffffffffn)
  }
}

/** A permutation of 0 .. n - 1, n below 2^32. */
export const numpyPermutation = (seed: number, n: number): Uint32Array => {
  const next = draws(seed)
  const order = Uint32Array.from({ length: n }, (_, i) => i)
  for (let i = n - 1; i > 0; i--) {
    const mask = 2 ** (32 - Math.clz32(i)) - 1
    let j = (next() & mask) >>> 0
    while (j > i) j = (next() & mask) >>> 0
    const held = order[i]!
    order[i] = order[j]!
    order[j] = held
  }
  return order
}

/** What the hub's `train_test_split(test_size, seed)` is told: a share of the rows, or how many. */
export type HoldOut = { readonly seed: number } & (
  { readonly share: number; readonly count?: never } | { readonly count: number; readonly share?: never }
)

/** How many of n rows it holds out. */
export const heldOutCount = (n: number, { share, count }: HoldOut): number =>
  count === undefined ? Math.ceil(share * n) : Math.min(count, n)

/** How it cuts n rows: it holds out the first ceil(share n), or count, of the permutation. */
export const hubSplit = (
  n: number,
  holdOut: HoldOut,
): { readonly heldOut: Uint8Array; readonly firstTrain: number; readonly firstHeldOut: number } => {
  const order = numpyPermutation(holdOut.seed, n)
  const size = heldOutCount(n, holdOut)
  const heldOut = new Uint8Array(n)
  for (let i = 0; i < size; i++) heldOut[order[i]!] = 1
  return { heldOut, firstTrain: order[size] ?? 0, firstHeldOut: order[0] ?? 0 }
}
