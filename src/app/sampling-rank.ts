/** A process that makes texts for another: it is told the experiment once, then groups of texts. */
import { openExecutor } from "../engine/choose.js"
import type { HostTensors } from "../engine/executor.js"
import { localMaker, type TextMaker } from "../evaluators/samples/maker.js"
import type { Opening, Told } from "../evaluators/samples/told.js"
import { networkOf } from "../families/traced.js"
import { readSafetensors, toFloat32 } from "../files/safetensors.js"
import type { StartedText } from "../samplers/texts.js"

let opened: { readonly maker: TextMaker; readonly starts: readonly StartedText[] } | undefined

const open = async ({ experiment, evaluation, choice, parameters, starts }: Opening) => {
  const network = networkOf(experiment)
  const { tensors } = await readSafetensors(parameters)
  const held: HostTensors = Object.fromEntries(
    [...tensors].map(([name, tensor]) => [name, { shape: tensor.shape, data: toFloat32(tensor) }]),
  )
  const executor = await openExecutor(choice)
  opened = {
    maker: localMaker({ experiment, network, parameters: held, executor, evaluation, starts }),
    starts,
  }
  return opened.maker.together()
}

const answer = async (told: Told): Promise<unknown> => {
  if ("open" in told) return open(told.open)
  const { maker, starts } = opened!
  const { seed, from, to } = told.make
  return maker.make(seed, starts.slice(from, to))
}

// The other process is gone: so is the reason to work.
process.on("disconnect", () => process.exit(0))
process.on("message", (told: Told) => {
  answer(told).then(
    (done) => process.send!({ done }),
    (error: unknown) => process.send!({ fault: error instanceof Error ? error.message : String(error) }),
  )
})
