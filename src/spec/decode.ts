/**
 * Decodes JSON against any Effect schema and reports every problem at once.
 *
 * The schema decides what is valid. Where it says no, the walk below follows the schema's tree beside the value, so
 * that each problem names its place, what was expected there, what was found and the nearest valid word.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import type * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import { JsonSyntaxError, ownKeys, parseJson, type Position } from "./json.js"
import { nearest } from "./nearest.js"
import { child, valueAt } from "./pointer.js"
import { ProblemList } from "./problems.js"
import { SpecError, type Problem } from "./spec-error.js"

/** Where a place stands in a text; undefined where it does not. */
export type Locate = (pointer: string) => Position | undefined

const STRICT = { errors: "all", onExcessProperty: "error" } as const

/** Characters of a value that are shown. */
const SHORT = 60

/** A value as short JSON. */
export const show = (value: unknown): string => {
  if (value === undefined) return "nothing"
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`
  const text = JSON.stringify(typeof value === "string" ? value.slice(0, SHORT) : value) ?? String(value)
  if (typeof value === "object" && value !== null && text.length > 40) return "an object"
  return text.length > SHORT ? `${text.slice(0, SHORT - 3)}...` : text
}

const list = (words: readonly string[]): string =>
  words.length <= 1 ? (words[0] ?? "nothing") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The form in which values of a schema are written. */
export const unwrap = (ast: SchemaAST.AST): SchemaAST.AST =>
  SchemaAST.isSuspend(ast) ? unwrap(ast.thunk()) : ast.encoding === undefined ? ast : SchemaAST.toEncoded(ast)

const decoderOf = (ast: SchemaAST.AST) =>
  SchemaParser.decodeUnknownResult(Schema.make<Schema.ConstraintDecoder<unknown>>(ast), STRICT)

const decoders = new WeakMap<SchemaAST.AST, ReturnType<typeof decoderOf>>()

const parse = (ast: SchemaAST.AST, value: unknown) => {
  let decode = decoders.get(ast)
  if (decode === undefined) decoders.set(ast, (decode = decoderOf(ast)))
  return decode(value)
}

/** The literal values of a union of literals (or of one literal), else undefined. */
const literalsOf = (ast: SchemaAST.AST): readonly SchemaAST.LiteralValue[] | undefined => {
  if (SchemaAST.isLiteral(ast)) return [ast.literal]
  if (!SchemaAST.isUnion(ast)) return undefined
  const literals = ast.types.map((type) => literalsOf(unwrap(type)))
  return literals.every((some) => some !== undefined) ? literals.flat() : undefined
}

/** The literal that an object of this form has under the key; undefined where none. */
export const literalOfKey = (ast: SchemaAST.AST, key: PropertyKey): SchemaAST.LiteralValue | undefined => {
  if (!SchemaAST.isObjects(ast)) return undefined
  const type = ast.propertySignatures.find((property) => property.name === key)?.type
  const target = type === undefined ? undefined : unwrap(type)
  return target !== undefined && SchemaAST.isLiteral(target) ? target.literal : undefined
}

/** Whether an object of this form may be without the key. */
const mayLack = (ast: SchemaAST.AST, key: PropertyKey): boolean => {
  if (!SchemaAST.isObjects(ast)) return false
  const type = ast.propertySignatures.find((property) => property.name === key)?.type
  return type !== undefined && SchemaAST.isOptional(type)
}

/** The key whose literal tells the members of a union of objects apart. */
const discriminator = (members: readonly SchemaAST.AST[]): string | undefined => {
  const first = members[0]
  if (first === undefined || !SchemaAST.isObjects(first)) return undefined
  for (const { name } of first.propertySignatures) {
    if (typeof name !== "string") continue
    const literals = members.map((member) => literalOfKey(member, name))
    if (literals.every((literal) => literal !== undefined) && new Set(literals).size === members.length)
      return name
  }
  return undefined
}

/** Words for what a schema wants. */
const describe = (ast: SchemaAST.AST): string => {
  const target = unwrap(ast)
  const literals = literalsOf(target)
  if (literals !== undefined) return list(literals.map((literal) => JSON.stringify(literal)))
  if (SchemaAST.isUnion(target)) {
    const key = discriminator(target.types.map(unwrap))
    if (key !== undefined) {
      const kinds = target.types.map((type) => JSON.stringify(literalOfKey(unwrap(type), key)))
      return `an object whose ${JSON.stringify(key)} is ${list(kinds)}`
    }
    return list([...new Set(target.types.map(describe))])
  }
  if (SchemaAST.isObjects(target)) return "an object"
  if (SchemaAST.isArrays(target))
    return target.rest.length === 0 ? `a list of ${target.elements.length}` : "a list"
  const checks = (target.checks ?? []).map(
    (check) => check.annotations?.expected ?? check.annotations?.description,
  )
  const known = checks.filter((text): text is string => text !== undefined)
  const base = { String: "a string", Number: "a number", Boolean: "true or false", Null: "null" } as Record<
    string,
    string
  >
  const word = base[target._tag] ?? SchemaAST.resolve(target)?.expected ?? target._tag
  return known.length === 0 ? String(word) : known.join(" and ")
}

type Expectation = { readonly pointer: string; readonly expected: string }

/** What a schema issue expected, and where: a check may point into the value it judges. */
const expectations = (issue: SchemaIssue.Issue, pointer: string): readonly Expectation[] => {
  switch (issue._tag) {
    case "Filter": {
      const stated = issue.filter.annotations?.expected ?? issue.filter.annotations?.description
      const inner = expectations(issue.issue, pointer)
      return stated === undefined ? inner : inner.map((each) => ({ ...each, expected: stated }))
    }
    case "Composite":
      return issue.issues.flatMap((inner) => expectations(inner, pointer))
    case "Pointer":
      return expectations(
        issue.issue,
        issue.path.reduce<string>((at, key) => child(at, String(key)), pointer),
      )
    case "Encoding":
      return expectations(issue.issue, pointer)
    case "AnyOf":
    case "InvalidType":
      return [{ pointer, expected: describe(issue.ast) }]
    case "InvalidValue": {
      const text = issue.annotations?.expected ?? issue.annotations?.message
      return [{ pointer, expected: typeof text === "string" ? text : "another value" }]
    }
    default:
      return [{ pointer, expected: "another value" }]
  }
}

const leaf = (ast: SchemaAST.AST, value: unknown, pointer: string, to: ProblemList): void => {
  const result = parse(ast, value)
  if (Result.isSuccess(result)) return
  // A number that violates two checks is one place to mend, so it is one problem.
  const places = new Map<string, Set<string>>()
  for (const { pointer: at, expected } of expectations(result.failure, pointer))
    places.set(at, (places.get(at) ?? new Set()).add(expected))
  for (const [at, words] of places)
    to.add(
      () => at,
      () => ({
        expected: [...words].join(" and "),
        found: show(at === pointer ? value : valueAt(value, at.slice(pointer.length))),
        ...nearWord(at === pointer ? prefixed(ast, value) : undefined),
      }),
    )
}

/** The nearest valid word, where there is one, as a problem holds it. */
const nearWord = (near: SchemaAST.LiteralValue | undefined): Pick<Problem, "nearest"> =>
  near === undefined ? {} : { nearest: JSON.stringify(near) }

/** @param missing the known keys that are not there: of these one is meant first */
export const unknownKeyWords = (
  key: string,
  known: readonly string[],
  missing: readonly string[],
): Omit<Problem, "pointer"> => ({
  expected: known.length === 0 ? "no key here" : `one of the keys ${known.join(", ")}`,
  found: `the unknown key ${show(key)}`,
  ...nearWord(nearest(key, missing) ?? nearest(key, known)),
})

/** A string with the prefix that a check of the schema names, where that makes it valid. */
const prefixed = (ast: SchemaAST.AST, value: unknown): string | undefined =>
  typeof value !== "string"
    ? undefined
    : (ast.checks ?? []).flatMap(({ annotations }) => {
        const prefix = annotations?.["prefix"]
        return typeof prefix === "string" && Result.isSuccess(parse(ast, prefix + value))
          ? [prefix + value]
          : []
      })[0]

const literalWords = (
  literals: readonly SchemaAST.LiteralValue[],
  value: unknown,
): Omit<Problem, "pointer"> => {
  const words = literals.filter((literal) => typeof literal === "string")
  return {
    expected: list(literals.map((literal) => JSON.stringify(literal))),
    found: show(value),
    ...nearWord(typeof value === "string" ? nearest(value, words) : undefined),
  }
}

const literal = (
  literals: readonly SchemaAST.LiteralValue[],
  value: unknown,
  pointer: string,
  to: ProblemList,
): void => {
  if (literals.some((each) => each === value)) return
  to.add(
    () => pointer,
    () => literalWords(literals, value),
  )
}

const object = (ast: SchemaAST.Objects, value: unknown, pointer: string, to: ProblemList): void => {
  if (!isRecord(value))
    return to.add(
      () => pointer,
      () => ({ expected: "an object", found: show(value) }),
    )
  const known = ast.propertySignatures.map((property) => String(property.name))
  const knows = new Set(known)
  if (ast.indexSignatures.length === 0) {
    const missing = known.filter((name) => !Object.hasOwn(value, name))
    for (const key of ownKeys(value)) {
      if (knows.has(key)) continue
      to.add(
        () => child(pointer, key),
        () => unknownKeyWords(key, known, missing),
      )
    }
  } else {
    for (const [key, inner] of Object.entries(value)) {
      if (knows.has(key)) continue
      const signature = ast.indexSignatures.find(({ parameter }) => Result.isSuccess(parse(parameter, key)))
      if (signature !== undefined) walk(signature.type, inner, child(pointer, key), to)
      else
        to.add(
          () => child(pointer, key),
          () => ({
            expected: `a key that is ${list(ast.indexSignatures.map(({ parameter }) => describe(parameter)))}`,
            found: `the key ${show(key)}`,
          }),
        )
    }
  }
  for (const { name, type } of ast.propertySignatures) {
    const key = String(name)
    if (Object.hasOwn(value, key)) walk(type, value[key], child(pointer, key), to)
    else if (!SchemaAST.isOptional(type))
      to.add(
        () => child(pointer, key),
        () => {
          const about = SchemaAST.resolveDescription(type)
          return {
            expected: describe(type),
            found: "nothing",
            ...(about === undefined ? {} : { hint: `${key}: ${about}` }),
          }
        },
      )
  }
}

const array = (ast: SchemaAST.Arrays, value: unknown, pointer: string, to: ProblemList): void => {
  const wrong = (expected: string): void =>
    to.add(
      () => pointer,
      () => ({ expected, found: show(value) }),
    )
  if (!Array.isArray(value)) return wrong(describe(ast))
  const required = ast.elements.filter((element) => !SchemaAST.isOptional(element)).length
  if (value.length < required || (ast.rest.length === 0 && value.length > ast.elements.length))
    return wrong(
      ast.rest.length === 0 ? `a list of ${ast.elements.length}` : `a list of at least ${required}`,
    )
  for (const [index, item] of value.entries()) {
    const type = ast.elements[index] ?? ast.rest[0]
    if (type !== undefined) walk(type, item, child(pointer, index), to)
  }
}

const union = (ast: SchemaAST.Union, value: unknown, pointer: string, to: ProblemList): void => {
  const literals = literalsOf(ast)
  if (literals !== undefined) return literal(literals, value, pointer, to)
  const members = ast.types.map(unwrap)
  const key = discriminator(members)
  if (key !== undefined && isRecord(value)) {
    const kinds = members.map((member) => literalOfKey(member, key)!)
    const chosen = members.find((_, index) => kinds[index] === value[key])
    if (chosen !== undefined) return walk(chosen, value, pointer, to)
    const tacit = Object.hasOwn(value, key) ? undefined : members.find((member) => mayLack(member, key))
    if (tacit !== undefined) return walk(tacit, value, pointer, to)
    const words = literalWords(kinds, value[key])
    to.add(
      () => child(pointer, key),
      () => words,
    )
    // Near a valid kind, the rest of the object is judged as that kind, so that nothing waits for a second try.
    const meant = members.find((_, index) => JSON.stringify(kinds[index]) === words.nearest)
    if (meant !== undefined) walk(meant, { ...value, [key]: literalOfKey(meant, key) }, pointer, to)
    return
  }
  const objects = members.filter(SchemaAST.isObjects)
  const arrays = members.filter(SchemaAST.isArrays)
  if (isRecord(value) && objects.length === 1) return walk(objects[0]!, value, pointer, to)
  if (Array.isArray(value) && arrays.length === 1) return walk(arrays[0]!, value, pointer, to)
  const attempts = members.map((member) => {
    const attempt = new ProblemList()
    walk(member, value, pointer, attempt)
    return attempt
  })
  if (attempts.some(({ found }) => found === 0)) return
  const deep = attempts.filter(({ told }) => told.some((problem) => problem.pointer !== pointer))
  const closest = deep.sort((a, b) => a.found - b.found)[0]
  if (closest !== undefined) return to.append(closest.told, closest.more)
  to.add(
    () => pointer,
    () => {
      const strings = members
        .flatMap((member) => literalsOf(member) ?? [])
        .filter((word) => typeof word === "string")
      return {
        expected: describe(ast),
        found: show(value),
        ...nearWord(typeof value === "string" ? nearest(value, strings) : undefined),
      }
    },
  )
}

const walk = (wrapped: SchemaAST.AST, value: unknown, pointer: string, to: ProblemList): void => {
  const ast = unwrap(wrapped)
  const before = to.found
  if (SchemaAST.isObjects(ast)) object(ast, value, pointer, to)
  else if (SchemaAST.isArrays(ast)) array(ast, value, pointer, to)
  else if (SchemaAST.isUnion(ast)) union(ast, value, pointer, to)
  else if (SchemaAST.isLiteral(ast)) literal([ast.literal], value, pointer, to)
  if (to.found > before) return
  // The parts are right: what is left are checks on the whole, and transformations.
  const isPartsAlone = (SchemaAST.isObjects(wrapped) || SchemaAST.isArrays(wrapped)) && ast === wrapped
  if (!isPartsAlone || ast.checks !== undefined) leaf(wrapped, value, pointer, to)
}

/**
 * What is wrong with `value`; none exactly when the schema accepts it.
 *
 * @param keeps whether a problem at a place counts; each does when absent
 */
export const problemsOf = (
  schema: Schema.Constraint,
  value: unknown,
  keeps?: (pointer: string) => boolean,
): ProblemList => {
  const found = new ProblemList(keeps)
  walk(schema.ast, value, "", found)
  return found
}

/**
 * Adds line and column to problems; a missing place gets the position of the nearest place above it.
 */
export const withPositions = (problems: readonly Problem[], locate: Locate): readonly Problem[] =>
  problems.map((problem) => {
    if (problem.position !== undefined) return problem
    let pointer = problem.pointer
    for (;;) {
      const position = locate(pointer)
      if (position !== undefined) return { ...problem, position }
      if (pointer === "") return problem
      pointer = pointer.slice(0, pointer.lastIndexOf("/"))
    }
  })

/** The text that was read last: a spec is read once for each of its profiles. */
let last: { readonly text: string; readonly parsed: ReturnType<typeof parseJson> } | undefined

/** Reads JSON text; a syntax error becomes a {@link SpecError} with line and column. */
export const readJson = (
  text: string,
  file: string,
  options: Parameters<typeof parseJson>[1] = {},
): ReturnType<typeof parseJson> => {
  if (options.nonFinite !== true && last?.text === text) return last.parsed
  try {
    const parsed = parseJson(text, options)
    if (options.nonFinite !== true) last = { text, parsed }
    return parsed
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error
    const { pointer, expected, found, position } = error
    throw new SpecError(file, [{ pointer, expected, found, position }])
  }
}

/** Decodes a value that is already JSON; throws {@link SpecError} with every problem. */
export const decodeValue = <S extends Schema.ConstraintDecoder<unknown>>(
  schema: S,
  value: unknown,
  file: string,
  locate?: Locate,
): S["Type"] => {
  const result = SchemaParser.decodeUnknownResult(schema, STRICT)(value)
  if (Result.isSuccess(result)) return result.success
  const { told, more } = problemsOf(schema, value)
  throw new SpecError(file, locate === undefined ? told : withPositions(told, locate), more)
}

/** Decodes JSON text against `schema`; throws {@link SpecError} with every problem, each with line and column. */
export const decodeJson = <S extends Schema.ConstraintDecoder<unknown>>(
  schema: S,
  text: string,
  file: string,
): S["Type"] => {
  const parsed = readJson(text, file)
  return decodeValue(schema, parsed.value, file, parsed.locate)
}
