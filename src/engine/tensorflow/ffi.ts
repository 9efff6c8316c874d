/**
 * Calls into shared libraries: koffi's own package of this platform. Its general package adds nothing that is used here,
 * and has an install script, of which npm warns.
 */
import { createRequire } from "node:module"
import { packageUrl } from "../../files/package-files.js"
import { ExecutorError } from "../errors.js"

export interface LibraryFunction {
  (...args: readonly unknown[]): unknown
  readonly async: (...args: readonly unknown[]) => void
}

export interface LibraryHandle {
  /** Binds the function of a C prototype. @throws Error where the library has none of this name */
  readonly func: (prototype: string) => LibraryFunction
}

/** The part of koffi's interface (version 3) that is used. */
export interface Ffi {
  readonly config: (options: Readonly<Record<string, number>>) => unknown
  /** Opens a library; null is the process itself. @throws Error from the loader */
  readonly load: (path: string | null) => LibraryHandle
  /** Memory of `length` values of a C type, by its address. */
  readonly alloc: (type: string, length: number) => bigint
  readonly view: (pointer: bigint, bytes: number) => ArrayBuffer
  readonly free: (pointer: bigint) => void
}

const THIS_PLATFORM = `@koromix/koffi-${process.platform}-${process.arch}`

/** @throws ExecutorError with what to install where this platform's package is missing */
export const loadFfi = (name = THIS_PLATFORM): Ffi => {
  try {
    return createRequire(packageUrl)(name) as Ffi
  } catch (cause) {
    throw new ExecutorError(
      "tensorflow",
      `libtensorflow is called through the npm package ${name}, which could not be loaded (${
        (cause as Error).message.split("\n")[0] ?? ""
      })`,
      `run \`npm i ${name}@3\` where repro is installed, or use another --engine`,
      { cause },
    )
  }
}
