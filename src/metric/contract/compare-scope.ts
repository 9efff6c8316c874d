/** Rules for what text was scored and in what pieces: windows, special tokens, slices, tokenizers. */
import { NOT_STATED, type Contract, type NotStated } from "./contract.js"
import type { DataPolicy, Denominator, Inclusion, Specials, WindowPolicy } from "./fields.js"
import { FINEWEB_SP1024 } from "./builders.js"
import {
  convertible,
  different,
  digits,
  equal,
  noted,
  ordered,
  same,
  silentSide,
  unknown,
  type Circumstances,
  type Outcome,
} from "./compare-outcomes.js"

/** Whether the number is about given text, so that windows and special tokens bear on it. */
const ofText = (...contracts: readonly Contract[]): boolean =>
  contracts.some(({ quantity }) => quantity === "negative-log-likelihood" || quantity === "training-loss")

const PER_TOKEN: ReadonlySet<string> = new Set(["bits/token", "nats/token", "ppl"])
const perToken = (...contracts: readonly Contract[]): boolean =>
  contracts.some(({ unit }) => PER_TOKEN.has(unit))

type Field = { readonly name: string; readonly first: boolean; readonly second: boolean }
const unstated = (fields: readonly Field[]): string =>
  fields.map(({ name, first, second }) => `${name}: ${silentSide(first, second)}`).join("; ")

const statedWindows = (a: WindowPolicy, b: WindowPolicy, together: boolean): Outcome => {
  const differing = (["length", "stride", "alignment"] as const).filter(
    (key) => a[key] !== NOT_STATED && b[key] !== NOT_STATED && a[key] !== b[key],
  )
  const silent = (["length", "stride"] as const).filter(
    (key) => a[key] === NOT_STATED || b[key] === NOT_STATED,
  )
  if (silent.length > 0 && !(together && equal(a, b)))
    return unknown(
      `${unstated(silent.map((name) => ({ name, first: a[name] === NOT_STATED, second: b[name] === NOT_STATED })))}; other windows give other context`,
    )
  if (differing.length > 0)
    return ordered(
      `${differing.map((key) => `${key} ${a[key]} against ${b[key]}`).join(", ")}: other context for the same text`,
    )
  if (a.tail !== b.tail && a.tail !== NOT_STATED && b.tail !== NOT_STATED)
    return noted(`tail rule ${a.tail} against ${b.tail}: about 1e-5 relative`)
  return same(silent.length > 0 ? "one source, one protocol" : "the same windows as far as stated")
}

export const windows = (a: Contract, b: Contract, { definition, sameSource }: Circumstances): Outcome => {
  if (b.window === NOT_STATED && definition)
    return { relation: "open", reason: "the definition leaves this open" }
  if (a.window !== NOT_STATED && b.window !== NOT_STATED) {
    return ofText(a, b)
      ? statedWindows(a.window, b.window, sameSource)
      : noted("windows do not bear on this quantity")
  }
  const both = a.window === NOT_STATED && b.window === NOT_STATED
  const reason = silentSide(a.window === NOT_STATED, b.window === NOT_STATED)
  if (!ofText(a, b)) return noted(reason)
  return both && sameSource
    ? same("one source, one protocol: it states the windows of neither")
    : unknown(`${reason}; other windows give other context`)
}

type Name = keyof Specials
type Side = Inclusion["numerator"] | Inclusion["denominator"]
const part = (specials: Specials, name: Name, key: keyof Inclusion): Side => {
  const inclusion = specials[name]
  return inclusion === NOT_STATED ? NOT_STATED : inclusion[key]
}

/** Whether the contract's value is of the whole split, whose boundaries are counted in its manifest. */
const wholeSplit = ({ data }: Contract): boolean =>
  data !== NOT_STATED &&
  data.dataset === FINEWEB_SP1024.dataset &&
  data.split === FINEWEB_SP1024.split &&
  data.coverage !== NOT_STATED &&
  data.coverage > 0.999

/** One name counted in one denominator and not in the other. */
const counted = (name: Name, a: Contract, b: Contract, firstCounts: boolean): Outcome => {
  const kinds = [a, b].map(({ denominator }) => (denominator === NOT_STATED ? NOT_STATED : denominator.kind))
  const words = `${name} counted in the ${firstCounts ? "first" : "second"} denominator only`
  if (kinds[0] !== kinds[1]) return noted(`${words}, which the two kinds of denominator account for`)
  const { tokens, documents } = FINEWEB_SP1024
  if (name !== "bos" || kinds[0] !== "tokens" || !wholeSplit(a) || !wholeSplit(b)) return different(words)
  const ratio = firstCounts ? `${tokens}/${tokens - documents}` : `${tokens - documents}/${tokens}`
  return a.unit === "ppl"
    ? convertible(words, `ppl to the power of ${ratio}`)
    : convertible(words, `multiply by ${ratio}: ${documents} of the split's ${tokens} tokens are boundaries`)
}

const oneSpecial = (
  name: Name,
  a: Contract,
  b: Contract,
  [first, second]: readonly [Specials, Specials],
): readonly Outcome[] => {
  const outcomes: Outcome[] = []
  const [x, y] = [part(first, name, "numerator"), part(second, name, "numerator")]
  const [p, q] = [part(first, name, "denominator"), part(second, name, "denominator")]
  const deciding = name === "bos" || name === "eos"
  if ([x, y, p, q].includes(NOT_STATED)) {
    if (equal(first[name], second[name])) outcomes.push(noted(`${name} is not stated`))
    else if (deciding && perToken(a, b)) outcomes.push(unknown(`the treatment of ${name} is not stated`))
    else outcomes.push(noted(`${name} treated differently or not stated`))
  }
  if (x !== y && x !== NOT_STATED && y !== NOT_STATED) {
    if (x === "free")
      outcomes.push(
        convertible(`${name} free in the first`, "add the cost of transmitting the free positions"),
      )
    else if (y === "free")
      outcomes.push(
        convertible(
          `${name} free in the second`,
          "add the cost of transmitting the free positions to the second",
        ),
      )
    else outcomes.push(different(`${name} ${x} in the first numerator and ${y} in the second: other events`))
  }
  if (p !== q && p !== NOT_STATED && q !== NOT_STATED && (p === "counted" || q === "counted"))
    outcomes.push(counted(name, a, b, p === "counted"))
  return outcomes
}

const RANK = ["different", "unknown", "convertible", "noted"] as const

/** Several outcomes as one: the gravest decides, and its reasons are told. */
const gravest = (outcomes: readonly Outcome[], otherwise: Outcome): Outcome => {
  const relation = RANK.find((each) => outcomes.some((outcome) => outcome.relation === each))
  if (relation === undefined) return otherwise
  const deciding = outcomes.filter((outcome) => outcome.relation === relation)
  const reason = deciding.map((outcome) => outcome.reason).join("; ")
  const conversions = deciding.flatMap(({ conversion }) => (conversion === undefined ? [] : [conversion]))
  return relation === "convertible"
    ? convertible(reason, [...new Set(conversions)].join("; "))
    : { relation, reason }
}

export const specials = (a: Contract, b: Contract, { definition, sameSource }: Circumstances): Outcome => {
  if (b.specials === NOT_STATED && definition)
    return { relation: "open", reason: "the definition leaves this open" }
  if (a.specials === NOT_STATED || b.specials === NOT_STATED) {
    const reason = silentSide(a.specials === NOT_STATED, b.specials === NOT_STATED)
    if (!ofText(a, b) || !perToken(a, b)) return noted(reason)
    return sameSource && equal(a.specials, b.specials)
      ? same("one source, one protocol: it states the special tokens of neither")
      : unknown(`${reason}; a special token counted or not is another number per token`)
  }
  if (equal(a.specials, b.specials)) return same("the same treatment")
  const pair = [a.specials, b.specials] as const
  const names: readonly Name[] = ["bos", "eos", "pad", "mask"]
  return gravest(
    names.flatMap((name) => oneSpecial(name, a, b, pair)),
    same("the same treatment as far as it bears on the number"),
  )
}

const windowsOf = ({ window, denominator }: Contract): number | undefined => {
  if (window === NOT_STATED || window.length === NOT_STATED) return undefined
  const tokens = denominator !== NOT_STATED && "tokens" in denominator ? denominator.tokens : NOT_STATED
  return tokens === NOT_STATED ? undefined : Math.round(tokens / window.length)
}

/** The 95 % sampling error of a value over its slice, in words. */
const samplingError = (...contracts: readonly Contract[]): string => {
  const counts = [...new Set(contracts.map(windowsOf))]
  const [count] = counts
  return counts.length === 1 && count !== undefined
    ? `sampling error (95 %: 1.96 standard deviations of one window's value / sqrt(${count}))`
    : "sampling error"
}

export const coverage = (a: Contract, b: Contract, x: DataPolicy, y: DataPolicy): Outcome => {
  if (x.coverage === NOT_STATED || y.coverage === NOT_STATED) return unknown("the coverage is not stated")
  if (Math.abs(x.coverage - y.coverage) >= 1e-3)
    return convertible(
      `coverage ${digits(100 * x.coverage, 3)} % against ${digits(100 * y.coverage, 3)} %`,
      `treat the smaller slice as a sample and add its ${samplingError(x.coverage < y.coverage ? a : b)}`,
    )
  const share = `coverage ${digits(100 * x.coverage, 4)} %`
  if (x.coverage > 0.999) return same(share)
  if (x.slice === NOT_STATED || y.slice === NOT_STATED)
    return unknown(
      `equal coverage; which part was scored: ${silentSide(x.slice === NOT_STATED, y.slice === NOT_STATED)}`,
    )
  return x.slice === y.slice
    ? same(share)
    : convertible(
        `equal coverage; slices "${x.slice}" and "${y.slice}" are other text`,
        `treat both slices as samples of one text and add to each its ${samplingError(a, b)}`,
      )
}

const isConstant = (denominator: Denominator | NotStated): boolean =>
  denominator !== NOT_STATED && denominator.kind === "constant"

/** Whether bits per byte of two tokenizers are of the same bytes. */
export const acrossTokenizers = (a: Contract, b: Contract, words: string): Outcome => {
  const constants = [a, b].filter(({ denominator }) => isConstant(denominator)).length
  if (constants === 2)
    return different(`${words}: a constant of bytes per token stands for other bytes under another tokenizer`)
  if (constants === 1)
    return unknown(`${words}: the bytes per token behind the constant are not known under its own tokenizer`)
  return noted(`${words}: bytes do not depend on the tokenizer`)
}
