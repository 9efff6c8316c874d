/** Shows what preparing data does: a bar for downloads, a line for what was written. */
import type { OnPrepareEvent } from "../files/events.js"
import type { Display } from "../run/display.js"
import { quantity } from "../run/progress.js"

/** A listener that keeps one phase per downloaded file. */
export const describePrepareEvents = (display: Display): OnPrepareEvent => {
  let current: string | undefined
  return (event) => {
    switch (event.kind) {
      case "download": {
        if (current !== event.path) {
          current = event.path
          display.phase("downloading", event.total, { from: event.received, unit: "byte" })
        }
        display.update({ done: event.received })
        return
      }
      case "tokenised": {
        if (current !== event.split) {
          current = event.split
          display.phase(`tokenising ${event.split} text`, event.total, { unit: "byte" })
        }
        display.update({ done: event.bytes })
        return
      }
      case "retry":
        return display.warn(
          `Trying ${event.url} again in ${Math.round(event.waitMs / 1000)} s: ${event.reason}`,
        )
      case "asking-npm":
        return display.log(`Asking npm for ${event.name}@${event.version}.`)
      case "waiting": {
        const who =
          event.holder === null ? "another process" : `process ${event.holder.pid} on ${event.holder.host}`
        return display.log(`Waiting for ${who}, which is making ${event.path}.`)
      }
      case "downloaded":
        return display.log(
          `Downloaded ${event.path} (${quantity(event.bytes, "byte")}, sha256 ${event.sha256.slice(0, 12)}...).`,
        )
      case "rows": {
        if (current !== "rows") {
          current = "rows"
          display.phase("tokenising", event.total, { from: event.done, unit: "row" })
        }
        return display.update({ done: event.done })
      }
      case "answers": {
        if (current !== "answers") {
          current = "answers"
          display.phase("running the rows' programs", event.total, { from: event.done, unit: "row" })
        }
        return display.update({ done: event.done })
      }
      case "written":
        return display.log(`Wrote ${event.path} (${event.tokens} tokens).`)
      case "reused":
        return
    }
  }
}
