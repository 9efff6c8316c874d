import type { LeaseHolder } from "./lease.js"

/** What preparing data reports while it works; the display decides how to show it. */
export type PrepareEvent =
  | {
      readonly kind: "download"
      readonly url: string
      readonly path: string
      /** Bytes on disk so far, those of an earlier attempt included. */
      readonly received: number
      /** Undefined when the server does not say. */
      readonly total: number | undefined
    }
  | { readonly kind: "downloaded"; readonly path: string; readonly bytes: number; readonly sha256: string }
  | { readonly kind: "retry"; readonly url: string; readonly reason: string; readonly waitMs: number }
  /** npm itself fetches what the plain request could not get. */
  | { readonly kind: "asking-npm"; readonly name: string; readonly version: string }
  /** Another process makes the same file or corpus; who it is, where that can be read. */
  | { readonly kind: "waiting"; readonly path: string; readonly holder: LeaseHolder | null }
  | { readonly kind: "reused"; readonly path: string }
  | { readonly kind: "rows"; readonly done: number; readonly total: number }
  /** Programs of rows that were run for what they answer. */
  | { readonly kind: "answers"; readonly done: number; readonly total: number }
  | {
      readonly kind: "tokenised"
      readonly split: "train" | "validation"
      /** Bytes of files that were read, and all there are. */
      readonly bytes: number
      readonly total: number
    }
  | { readonly kind: "written"; readonly path: string; readonly tokens: number }

export type OnPrepareEvent = (event: PrepareEvent) => void
