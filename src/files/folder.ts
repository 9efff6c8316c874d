/** Folders. */
import { mkdir, stat } from "node:fs/promises"
import { dirname } from "node:path"
import { systemCode } from "./errors.js"

/** Another process may remove a folder that was just made. */
const ATTEMPTS = 3

/** Two that make and remove one folder in turns meet between a look and the next one; never so often. */
const MEETINGS = 100

/**
 * Makes a folder and those above it that are lacking. Unlike `mkdir` with `recursive`, which in Node 20 tries for ever
 * where a file system has a folder and lets none be made in it (/proc), it fails with the system's error.
 *
 * @returns whether the folder was made here, rather than found
 * @throws the system's error: ENOENT where none can be made, EEXIST or ENOTDIR where a part of the path is a file
 */
export const makeFolder = async (path: string): Promise<boolean> => {
  for (let attempt = 1; ; attempt++) {
    try {
      await mkdir(path)
      return true
    } catch (error) {
      const code = systemCode(error)
      // A file system that is only read says so also of a folder that is there.
      if (code !== "ENOENT") {
        const there = await stat(path).catch(() => undefined)
        if (there?.isDirectory() === true) return false
        // It was there and is gone: another process has removed it since.
        if (code === "EEXIST" && there === undefined && attempt < MEETINGS) continue
        throw error
      }
      if (attempt >= ATTEMPTS || dirname(path) === path) throw error
      await makeFolder(dirname(path))
    }
  }
}
