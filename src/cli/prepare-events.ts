/** Shows what preparing data does: a bar for downloads, a line for what was written. */
import type { OnPrepareEvent } from "../data/events.js"
import type { Display } from "../run/display.js"

const MEGABYTE = 1e6

/** A listener that keeps one phase per downloaded file. */
export const describePrepareEvents = (display: Display): OnPrepareEvent => {
  let current: string | undefined
  return (event) => {
    switch (event.kind) {
      case "download": {
        if (current !== event.path) {
          current = event.path
          display.phase(
            "downloading",
            event.total === undefined ? undefined : Math.ceil(event.total / MEGABYTE),
            { unit: "MB" },
          )
        }
        display.update({ done: Math.floor(event.received / MEGABYTE) })
        return
      }
      case "retry":
        return display.warn(
          `Trying ${event.url} again in ${Math.round(event.waitMs / 1000)} s: ${event.reason}`,
        )
      case "downloaded":
        return display.log(
          `Downloaded ${event.path} (${(event.bytes / MEGABYTE).toFixed(1)} MB, sha256 ${event.sha256.slice(0, 12)}...).`,
        )
      case "written":
        return display.log(`Wrote ${event.path} (${event.tokens} tokens).`)
      case "reused":
        return
    }
  }
}
