/** What may be added for the rest of the process: a clock that everything built from registered parts looks at. */
let version = 0

/** Says that the registered parts have changed. */
export const registrationChanged = (): void => void version++

/** What is built from the registered parts, built again when they change. */
export const perRegistration = <A>(build: () => A): (() => A) => {
  let built: { readonly version: number; readonly value: A } | undefined
  return () => {
    if (built?.version !== version) built = { version, value: build() }
    return built.value
  }
}
