/**
 * A pickle reader for plain data: containers, numbers, strings, and the few globals its caller names. Nothing of a
 * pickle is ever executed; any other global is an error. Opcodes: CPython Lib/pickletools.py, protocols 2 to 5.
 */
import { DataError } from "./errors.js"

/** Python dict; keys are strings, numbers, tuples, as they come. */
export type PickleDict = Map<unknown, unknown>

export interface PickleOptions {
  /**
   * What a global stands for; undefined refuses it. A function is what REDUCE applies to its arguments, anything else
   * a value.
   */
  readonly global: (module: string, name: string) => unknown
  /** What a persistent id stands for. */
  readonly persistent: (id: unknown) => unknown
}

/** Limits that no state dict comes near: they bound the time and the memory that a hostile one can take. */
const MAX_BYTES = 256 * 2 ** 20
const MAX_INSTRUCTIONS = 8_000_000
const MAX_CONTAINERS = 2_000_000
const MAX_ARGUMENTS = 64

const MARK = Symbol("mark")
const NOTHING = Symbol("nothing")

const damaged = (subject: string, what: string): DataError =>
  new DataError(
    "invalid",
    subject,
    `${what}; the file is damaged or not written by torch.save: copy it again.`,
  )

const refused = (subject: string, what: string): DataError =>
  new DataError(
    "refused",
    subject,
    `${what}; only plain state dicts are read and nothing in them is executed: save the tensors alone, torch.save(model.state_dict(), "weights.pt"), or write safetensors.`,
  )

const tooLarge = (subject: string, what: string): DataError =>
  new DataError(
    "refused",
    subject,
    `its pickle ${what}, which no state dict needs; save the tensors alone, torch.save(model.state_dict(), "weights.pt"), or write safetensors.`,
  )

/** What was found, short enough for a sentence. */
const short = (value: unknown): string =>
  typeof value !== "string" ? "(no name)" : value.length > 100 ? `${value.slice(0, 100)}…` : value

/** Bytes of a pickle, with bounds. */
class Reader {
  readonly #view: DataView
  readonly #bytes: Uint8Array
  readonly #subject: string
  #at = 0

  constructor(bytes: Uint8Array, subject: string) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#subject = subject
  }

  get at(): number {
    return this.#at
  }

  skip(length: number): number {
    const from = this.#at
    if (length < 0 || from + length > this.#bytes.length)
      throw damaged(this.#subject, `its pickle ends within an item at byte ${from}`)
    this.#at += length
    return from
  }

  u8 = (): number => this.#view.getUint8(this.skip(1))
  u16 = (): number => this.#view.getUint16(this.skip(2), true)
  i32 = (): number => this.#view.getInt32(this.skip(4), true)
  u32 = (): number => this.#view.getUint32(this.skip(4), true)
  f64 = (): number => this.#view.getFloat64(this.skip(8), false)
  u64 = (): number => {
    const value = this.#view.getBigUint64(this.skip(8), true)
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw damaged(this.#subject, `a length of ${value} is impossible`)
    return Number(value)
  }
  bytes = (length: number): Uint8Array => {
    const from = this.skip(length)
    return this.#bytes.subarray(from, from + length)
  }
  text = (length: number): string => new TextDecoder().decode(this.bytes(length))
  line = (): string => {
    const end = this.#bytes.indexOf(0x0a, this.#at)
    if (end < 0) throw damaged(this.#subject, "its pickle ends within a line")
    return this.text(end + 1 - this.#at).slice(0, -1)
  }
}

/** Two's complement, little-endian; exact up to 53 bits, a bigint beyond. */
const longOf = (bytes: Uint8Array): number | bigint => {
  let value = 0n
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!)
  if (bytes.length > 0 && bytes[bytes.length - 1]! >= 0x80) value -= 1n << BigInt(8 * bytes.length)
  const small = Number(value)
  return Number.isSafeInteger(small) ? small : value
}

/**
 * The object that a pickle holds.
 *
 * @throws DataError `refused` for a global that is not allowed, an opcode that plain data does not need or more of
 * anything than a state dict can hold, `invalid` for a damaged pickle
 */
export const readPickle = (bytes: Uint8Array, subject: string, options: PickleOptions): unknown => {
  if (bytes.length > MAX_BYTES) throw tooLarge(subject, `has ${bytes.length} bytes`)
  const reader = new Reader(bytes, subject)
  let containers = 0
  const container = <A>(made: A): A => {
    if (++containers > MAX_CONTAINERS) throw tooLarge(subject, `makes more than ${MAX_CONTAINERS} containers`)
    return made
  }
  const stack: unknown[] = []
  const memo = new Map<number, unknown>()
  const pop = (): unknown => {
    if (stack.length === 0 || stack[stack.length - 1] === MARK)
      throw damaged(subject, `its pickle takes from an empty stack at byte ${reader.at}`)
    return stack.pop()
  }
  const popMark = (): unknown[] => {
    const mark = stack.lastIndexOf(MARK)
    if (mark < 0) throw damaged(subject, `its pickle lacks a mark at byte ${reader.at}`)
    const items = stack.splice(mark + 1)
    stack.pop()
    return items
  }
  const top = (): unknown => {
    if (stack.length === 0) throw damaged(subject, "its pickle looks at an empty stack")
    return stack[stack.length - 1]
  }
  const setItems = (items: readonly unknown[]): void => {
    const dict = top()
    if (!(dict instanceof Map) || items.length % 2 !== 0)
      throw damaged(subject, "its pickle sets items of no dict")
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1])
  }
  const append = (items: readonly unknown[]): void => {
    const list = top()
    if (!Array.isArray(list)) throw damaged(subject, "its pickle appends to no list")
    for (const item of items) list.push(item)
  }
  const findGlobal = (module: unknown, name: unknown): unknown => {
    const found =
      typeof module === "string" && typeof name === "string" ? options.global(module, name) : undefined
    if (found === undefined)
      throw refused(subject, `it refers to the Python object ${short(module)}.${short(name)}`)
    return found
  }
  const remembered = (key: number): unknown => {
    const value = memo.has(key) ? memo.get(key) : NOTHING
    if (value === NOTHING) throw damaged(subject, `its pickle recalls item ${key} before it is stored`)
    return value
  }

  for (let instructions = 0; ; instructions++) {
    if (instructions === MAX_INSTRUCTIONS)
      throw tooLarge(subject, `has more than ${MAX_INSTRUCTIONS} instructions`)
    const opcode = reader.u8()
    switch (opcode) {
      case 0x80: // PROTO
        if (reader.u8() > 5) throw damaged(subject, "its pickle has a protocol above 5")
        break
      case 0x95: // FRAME
        reader.skip(8)
        break
      case 0x2e: // STOP
        return pop()
      case 0x28: // MARK
        stack.push(MARK)
        break
      case 0x30: // POP
        stack.pop()
        break
      case 0x31: // POP_MARK
        popMark()
        break
      case 0x4e: // NONE
        stack.push(null)
        break
      case 0x88: // NEWTRUE
        stack.push(true)
        break
      case 0x89: // NEWFALSE
        stack.push(false)
        break
      case 0x4a: // BININT
        stack.push(reader.i32())
        break
      case 0x4b: // BININT1
        stack.push(reader.u8())
        break
      case 0x4d: // BININT2
        stack.push(reader.u16())
        break
      case 0x8a: // LONG1
        stack.push(longOf(reader.bytes(reader.u8())))
        break
      case 0x47: // BINFLOAT
        stack.push(reader.f64())
        break
      case 0x58: // BINUNICODE
        stack.push(reader.text(reader.u32()))
        break
      case 0x8c: // SHORT_BINUNICODE
        stack.push(reader.text(reader.u8()))
        break
      case 0x8d: // BINUNICODE8
        stack.push(reader.text(reader.u64()))
        break
      case 0x42: // BINBYTES
        stack.push(reader.bytes(reader.u32()))
        break
      case 0x43: // SHORT_BINBYTES
        stack.push(reader.bytes(reader.u8()))
        break
      case 0x7d: // EMPTY_DICT
        stack.push(container(new Map()))
        break
      case 0x5d: // EMPTY_LIST
        stack.push(container([]))
        break
      case 0x29: // EMPTY_TUPLE
        stack.push(container([]))
        break
      case 0x85: // TUPLE1
        stack.push(container([pop()]))
        break
      case 0x86: {
        // TUPLE2
        const [b, a] = [pop(), pop()]
        stack.push(container([a, b]))
        break
      }
      case 0x87: {
        // TUPLE3
        const [c, b, a] = [pop(), pop(), pop()]
        stack.push(container([a, b, c]))
        break
      }
      case 0x74: // TUPLE
        stack.push(container(popMark()))
        break
      case 0x73: {
        // SETITEM
        const [value, key] = [pop(), pop()]
        setItems([key, value])
        break
      }
      case 0x75: // SETITEMS
        setItems(popMark())
        break
      case 0x61: {
        // APPEND
        const item = pop()
        append([item])
        break
      }
      case 0x65: // APPENDS
        append(popMark())
        break
      case 0x71: // BINPUT
        memo.set(reader.u8(), top())
        break
      case 0x72: // LONG_BINPUT
        memo.set(reader.u32(), top())
        break
      case 0x94: // MEMOIZE
        memo.set(memo.size, top())
        break
      case 0x68: // BINGET
        stack.push(remembered(reader.u8()))
        break
      case 0x6a: // LONG_BINGET
        stack.push(remembered(reader.u32()))
        break
      case 0x63: // GLOBAL
        stack.push(findGlobal(reader.line(), reader.line()))
        break
      case 0x93: {
        // STACK_GLOBAL
        const [name, module] = [pop(), pop()]
        stack.push(findGlobal(module, name))
        break
      }
      case 0x52: {
        // REDUCE
        const [args, callee] = [pop(), pop()]
        if (typeof callee !== "function" || !Array.isArray(args))
          throw refused(subject, `its pickle calls something at byte ${reader.at}`)
        if (args.length > MAX_ARGUMENTS) throw tooLarge(subject, `calls with ${args.length} arguments`)
        container(args)
        stack.push((callee as (...values: unknown[]) => unknown)(...(args as unknown[])))
        break
      }
      case 0x62: {
        // BUILD: attributes of a dict, such as a state dict's _metadata, say nothing about tensors.
        pop()
        if (!(top() instanceof Map)) throw refused(subject, `its pickle sets attributes at byte ${reader.at}`)
        break
      }
      case 0x51: // BINPERSID
        stack.push(options.persistent(pop()))
        break
      default:
        throw refused(subject, `its pickle uses opcode 0x${opcode.toString(16)} at byte ${reader.at - 1}`)
    }
  }
}
