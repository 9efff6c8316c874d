/** What a person sees while texts are made: a bar, or each text on the screen. */
import type { MadeText, News, Resolved, StartedText, TextsRequest } from "../samplers/texts.js"
import type { Display } from "../run/display.js"
import { grownPlaces } from "./growing-view.js"
import { lengthOf, stepsOf } from "./sample-text.js"
import type { View } from "./unmasking-view.js"

type Follow = (news: News) => Promise<void> | void

const masksOf = (row: ArrayLike<number>, maskId: number): number =>
  Array.from(row).reduce((n, token) => n + (token === maskId ? 1 : 0), 0)

/** A bar of tokens; of rows that grow in steps a bar of steps, and of events no end, as nobody knows how many there are. */
export const progress = ({ texts }: TextsRequest, resolved: Resolved, display: Display): Follow => {
  let done = 0
  if (resolved.kind === "fixed") {
    const { prefix, suffix } = resolved.settings
    display.phase("sampling", texts.length * (lengthOf(resolved) - prefix.length - suffix.length), {
      unit: "token",
    })
    return (news) => {
      if (news.rows === "fixed") for (const { positions } of news.news) done += positions.length
      display.update({ done })
    }
  }
  const stepped = resolved.kind === "growing" && resolved.settings.kind === "steps"
  display.phase("sampling", stepped ? texts.length * stepsOf(resolved) : undefined, {
    unit: stepped ? "step" : "evaluation",
  })
  return (news) => {
    done += news.news.length
    display.update({ done })
  }
}

/** Draws the text that is being sampled; with a view there is one at a time. */
export const watcher = (view: View, { texts, experiment }: TextsRequest, resolved: Resolved): Follow => {
  const { maskId, padId } = experiment.data.tokenizer
  const count = texts.length
  const steps = stepsOf(resolved)
  /** Rows of texts as they were last shown. */
  const rows = new Map<number, readonly number[]>()
  const passes = new Map<number, number>()
  return async (news) => {
    if (news.rows === "fixed")
      for (const { draft, step, positions } of news.news) {
        const left = masksOf(draft.tokens, maskId)
        const { prefix, suffix } = texts.find(({ index }) => index === draft.index)!
        const end = draft.tokens.length - suffix.length
        const kept = (i: number): boolean => i < prefix.length || i >= end
        const status = `text ${draft.index + 1} of ${count}, step ${step} of ${steps}, ${left} masked, ${draft.forwards} forward passes`
        await view.show({ tokens: draft.tokens, kept, status }, positions, left === 0)
      }
    else
      for (const { index, step, t, row, revealed } of news.news) {
        const { prefix, suffix } = texts.find((text) => text.index === index)!
        const before = rows.get(index) ?? [...prefix, ...suffix]
        const tokens = Array.from(row).slice(0, row.findLastIndex((token) => token !== padId) + 1)
        const places = grownPlaces(before, revealed, tokens, maskId)
        rows.set(index, tokens)
        const forwards = (passes.get(index) ?? 0) + 1
        passes.set(index, forwards)
        const left = masksOf(tokens, maskId)
        const stepped = resolved.kind === "growing" && resolved.settings.kind === "steps"
        const end = tokens.length - suffix.length
        const kept = (i: number): boolean => i < prefix.length || i >= end
        const status = `text ${index + 1} of ${count}, ${stepped ? `step ${step} of ${steps}` : `event ${step}`}, t ${t.toFixed(3)}, ${tokens.length} tokens, ${left} masked, ${forwards} forward passes`
        const last = stepped && step === steps
        await view.show({ tokens, kept, status, inserted: new Set(places.inserted) }, places.revealed, last)
      }
  }
}

/** The text as it became: of events nobody knows beforehand which is the last. */
export const showWhole = (
  view: View,
  { index, tokens, forwards }: MadeText,
  { prefix, suffix }: StartedText,
  { texts }: TextsRequest,
): Promise<void> =>
  view.show(
    {
      tokens,
      kept: (i) => i < prefix.length || i >= tokens.length - suffix.length,
      status: `text ${index + 1} of ${texts.length}, complete, ${tokens.length} tokens, ${forwards} forward passes`,
    },
    [],
    true,
  )
