/**
 * Where the files of this package lie, from its sources and from what is built of them alike: this module stands two
 * folders below the root, and so do the chunks of the built program. Nothing else asks for its own address.
 */
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

/** Root of this package, which holds `assets/`, `generated/`, `python/` and `specs/`. */
export const packageRoot = fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "")

/** Folder of the program itself: `src/`, or what was built of it. */
export const programRoot = fileURLToPath(new URL("..", import.meta.url))

const isSource = import.meta.url.endsWith(".ts")

/**
 * A module that is loaded by its address: as a process, as a thread, or by a name that is known at run time. The build
 * keeps each of them as a file of its own; see `scripts/build.ts`.
 *
 * @param path below `src/`, without extension, such as `cli/bin`
 */
export const moduleUrl = (path: string): URL =>
  new URL(`../${path}.${isSource ? "ts" : "js"}`, import.meta.url)

/** {@link moduleUrl} as a path. */
export const modulePath = (path: string): string => fileURLToPath(moduleUrl(path))

/** A file of this package, such as `packageFile("assets", "sp1024.model")`. */
export const packageFile = (...names: readonly string[]): string => join(packageRoot, ...names)

/** Of this package, for what resolves other packages from it. */
export const packageUrl = pathToFileURL(join(packageRoot, "package.json")).href
