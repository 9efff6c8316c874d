/**
 * Specs with more keys than any has: their unknown keys are told, and nothing else is made of them.
 *
 * To fill in what a spec extends, take its paths from its folder and lay each overlay over it copies every key several
 * times, and looks at every profile for each. Of hundreds of thousands, one look is enough to refuse them.
 */
import * as SchemaAST from "effect/SchemaAST"
import { literalOfKey, unknownKeyWords, unwrap } from "./decode.js"
import { ownKeys } from "./json.js"
import { child } from "./pointer.js"
import { ProblemList, type Problems } from "./problems.js"
import { bodySchema, isObject } from "./spec-file-schema.js"

/** Keys in one object beyond which unknown ones are looked for first. */
const MOST_KEYS = 1000

/** Profiles that a spec may have. */
export const MOST_PROFILES = 100

/** Keys of a spec file beside those of its experiment. */
const BESIDE_BODY = ["$schema", "schemaVersion", "extends", "profiles"]

/** The forms of objects and of lists that a place may have; a union stands for each of its members. */
const formsOf = (wrapped: SchemaAST.AST): readonly SchemaAST.AST[] => {
  const ast = unwrap(wrapped)
  return SchemaAST.isUnion(ast) ? ast.types.flatMap(formsOf) : [ast]
}

/**
 * Adds the keys that no form has. Where an object of a patch does not say of which kind it is, what any kind
 * has is known.
 */
const addUnknownKeys = (
  forms: readonly SchemaAST.AST[],
  value: unknown,
  pointer: string,
  also: readonly string[],
  to: ProblemList,
): void => {
  if (Array.isArray(value)) {
    const items = forms.filter(SchemaAST.isArrays).flatMap(({ elements, rest }) => [...elements, ...rest])
    const inItems = items.flatMap(formsOf)
    if (inItems.length > 0)
      for (const [index, item] of value.entries())
        addUnknownKeys(inItems, item, child(pointer, index), [], to)
    return
  }
  if (!isObject(value)) return
  const all = forms.filter(SchemaAST.isObjects)
  // A map of names has any key, and what is no object by its form is not looked into.
  if (all.length === 0 || all.some(({ indexSignatures }) => indexSignatures.length > 0)) return
  const of = all.filter((form) => literalOfKey(form, "kind") === (value["kind"] ?? form))
  const types = new Map<string, SchemaAST.AST[]>(also.map((key) => [key, []]))
  for (const { name, type } of (of.length > 0 ? of : all).flatMap((form) => form.propertySignatures))
    types.set(String(name), [...(types.get(String(name)) ?? []), type])
  // By null, a patch removes what an object of another kind had.
  const removable = new Set(all.flatMap((form) => form.propertySignatures.map(({ name }) => String(name))))
  const known = [...types.keys()]
  const missing = known.filter((key) => !Object.hasOwn(value, key))
  for (const key of ownKeys(value)) {
    const inKey = types.get(key)
    if (inKey !== undefined) addUnknownKeys(inKey.flatMap(formsOf), value[key], child(pointer, key), [], to)
    else if (value[key] !== null || !removable.has(key))
      to.add(
        () => child(pointer, key),
        () => unknownKeyWords(key, known, missing),
      )
  }
}

/**
 * The unknown keys of a spec file that has far too many, those of its overlays included; none where it has not.
 *
 * @param mostKeys keys of its largest object
 */
export const crowdedProblems = (document: Readonly<Record<string, unknown>>, mostKeys: number): Problems => {
  const found = new ProblemList()
  if (mostKeys <= MOST_PROFILES) return found
  const profiles = isObject(document["profiles"]) ? document["profiles"] : {}
  const names = ownKeys(profiles)
  if (names.length > MOST_PROFILES)
    found.add(
      () => "/profiles",
      () => ({ expected: `at most ${MOST_PROFILES} profiles`, found: `${names.length} of them` }),
    )
  if (mostKeys <= MOST_KEYS) return found
  const published = Object.hasOwn(document, "published") ? ["published"] : []
  addUnknownKeys([bodySchema().ast], document, "", [...BESIDE_BODY, ...published], found)
  if (names.length <= MOST_PROFILES)
    for (const name of names)
      addUnknownKeys([bodySchema().ast], profiles[name], child("/profiles", name), [], found)
  return found
}
