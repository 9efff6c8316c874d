/** The path of a file as it may be said in what is handed on: true of the reader's machine as of this one. */
import { basename, isAbsolute, relative, sep } from "node:path"
import { packageRoot } from "./package-files.js"

/** `path` from `folder`; undefined where it does not lie in it. */
const within = (folder: string, path: string): string | undefined => {
  const found = relative(folder, path)
  return found === "" || found === ".." || found.startsWith(`..${sep}`) || isAbsolute(found)
    ? undefined
    : found.split(sep).join("/")
}

/**
 * `path` without the folders of this machine: from the working folder where it lies in it, else from the program's
 * own folder, which every installation has, else its name alone.
 */
export const handedPath = (path: string): string =>
  within(process.cwd(), path) ?? within(packageRoot, path) ?? basename(path)
