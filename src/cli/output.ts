/** What becomes of output that cannot be written. */

/** A reader that closes early (`repro list | head`) is no failure; anything else is. */
export const watchOutput = (): void => {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0)
    const cure =
      error.code === "ENOSPC" ? "free some space or write to another place" : "write to another place"
    process.stderr.write(
      `repro: standard output cannot be written (${error.code ?? error.message}); ${cure}, then run the command again.\n`,
    )
    process.exit(1)
  })
  // Nobody is left to be told; the command itself goes on to its end.
  process.stderr.on("error", () => undefined)
}
