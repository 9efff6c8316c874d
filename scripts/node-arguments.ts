/**
 * How a child process runs a module of this repository: as JavaScript where `transpile.ts` made this one. The program
 * itself is started as it is built for its users.
 */
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("..", import.meta.url))

/** Where the JavaScript of a source lies, both relative to the repository. */
export const builtPath = (source: string): string =>
  join(".built", source.replace(/^src\//, "").replace(/\.ts$/, ".js"))

/** Defined in what `transpile.ts` writes. */
declare const TRANSPILED: true | undefined

/**
 * Node's arguments before those of the program.
 *
 * @param source a path in the repository, such as `src/cli/bin.ts`
 */
export const nodeArguments = (source: string): readonly string[] =>
  typeof TRANSPILED === "undefined"
    ? ["--import", import.meta.resolve("tsx"), join(root, source)]
    : [join(root, source === "src/cli/bin.ts" ? "dist/cli/bin.js" : builtPath(source))]
