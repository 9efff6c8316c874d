/** How a spec writes where data come from. `src/data` parses the same forms. */
import { formed } from "./common.js"

/** A dataset repository of the hub: hf:OWNER/REPOSITORY. */
export const HubSource = formed(/^hf:[A-Za-z0-9._-]+\/[A-Za-z0-9._-]+$/, "hf:OWNER/REPOSITORY", {
  prefix: "hf:",
})
/** One version of an npm package: npm:NAME@VERSION. */
export const NpmSource = formed(
  /^npm:(?:@[a-z0-9._~-]+\/)?[a-z0-9._~-]+@\d+\.\d+\.\d+[A-Za-z0-9.+-]*$/,
  "npm:NAME@VERSION with an exact version such as 1.2.3",
  { prefix: "npm:" },
)
/** A file on this machine: file:PATH. */
export const FileSource = formed(/^file:(?:\/\/)?.+$/, "file:PATH", { prefix: "file:" })
