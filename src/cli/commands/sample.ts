import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { engineFlags } from "../engine-flags.js"
import { json, set } from "../flags.js"
import { runHandler } from "../../app/outcome.js"
import { run, runs } from "../run-arguments.js"
import {
  CONFIDENCE_KINDS,
  NUCLEI,
  OVERFLOWS,
  SAMPLER_NAMES,
  SPECIALS,
  STEP_GRIDS,
  TAU_RULES,
} from "../../spec/sampler-names.js"

const checkpoint = Flag.String("checkpoint").pipe(
  Flag.withDescription("Instead of a run: weights, as repro eval takes them; needs --spec"),
  Flag.optional,
)
const spec = Flag.String("spec").pipe(
  Flag.withDescription("Spec file of the checkpoint, or the name of one, such as mdlm_eos"),
  Flag.optional,
)
const profile = Flag.String("profile").pipe(
  Flag.withAlias("p"),
  Flag.withDescription("Which configuration of the spec the checkpoint is of"),
  Flag.withDefault("paper"),
)
const names = Flag.String("names").pipe(
  Flag.withDescription("JSON file from names in the checkpoint to names of the network, as for repro eval"),
  Flag.optional,
)
const count = Flag.Int("count").pipe(Flag.withAlias("n"), Flag.withDescription("Texts"), Flag.withDefault(4))
const length = Flag.Int("length").pipe(
  Flag.withDescription(
    "Tokens of each text, prompt included; as many as the network was trained on when absent. More need a block or left-to-right: the window then slides. Rows that grow find their own length",
  ),
  Flag.optional,
)
const sampler = Flag.Literals("sampler", SAMPLER_NAMES).pipe(
  Flag.withDescription(
    "ancestral: the reverse chain; confidence: what the model is surest of first; left-to-right: one token at a time, all that a next-token network does. Where rows grow: events (the usual one): the time of each event drawn exactly; tau: every mask and slot on its own in each step; euler: the published Euler step",
  ),
  Flag.optional,
)
const steps = Flag.Int("steps").pipe(
  Flag.withDescription("Steps of one text; one for each token when absent. events has none"),
  Flag.optional,
)
const block = Flag.Int("block").pipe(
  Flag.withDescription(
    "Semi-autoregressive: blocks of this many tokens from left to right, each by the sampler; the steps are shared out",
  ),
  Flag.optional,
)
const temperature = Flag.Finite("temperature").pipe(
  Flag.withDescription(
    "Log-probabilities are divided by it; 0 takes the most probable token; when absent 1, and 0 of the sampler blocks",
  ),
  Flag.optional,
)
const topP = Flag.Finite("top-p").pipe(
  Flag.withDescription(
    "Draw from the fewest most probable tokens whose probabilities reach this sum, after the temperature; 1, when absent, keeps all",
  ),
  Flag.optional,
)
const rule = Flag.Literals("rule", TAU_RULES).pipe(
  Flag.withDescription(
    "Of tau, when a MASK is revealed: survival, with the probability that the schedule gives; at-least-one Poisson event; exactly-one, as published",
  ),
  Flag.optional,
)
const grid = Flag.Literals("grid", STEP_GRIDS).pipe(
  Flag.withDescription("Times of the steps where rows grow: even, 1/N; short, as xlm-core has it"),
  Flag.optional,
)
const confidence = Flag.Literals("confidence", CONFIDENCE_KINDS).pipe(
  Flag.withDescription(
    "What masks are ranked by where rows grow: of confidence, prob_diff when absent; of events, whose next mask is then the surest, any mask when absent",
  ),
  Flag.optional,
)
const hazard = Flag.Literals("hazard", ["on", "off"]).pipe(
  Flag.withDescription(
    "Of the sampler confidence where rows grow. off: reveals without the hazard, as published for the small models, which leaves 63 % of a text to the last step",
  ),
  Flag.optional,
)
const window = Flag.String("window").pipe(
  Flag.withMetavar("FACTOR,MOST"),
  Flag.withDescription(
    "Of the sampler confidence where rows grow: only the first masks from the left compete, FACTOR for each that is revealed and at most MOST, such as 15,32",
  ),
  Flag.optional,
)
const overflow = Flag.Literals("overflow", OVERFLOWS).pipe(
  Flag.withDescription(
    "When a step would insert more than the canvas holds: cancel, it inserts nothing; clip, as many as fit; fill, as published, the whole canvas becomes MASK",
  ),
  Flag.optional,
)
const specials = Flag.Literals("specials", SPECIALS).pipe(
  Flag.withDescription(
    "Where rows grow in steps. as-published: MASK and PAD may be drawn, and a PAD breaks its row; never otherwise",
  ),
  Flag.optional,
)
const nucleus = Flag.Literals("nucleus", NUCLEI).pipe(
  Flag.withDescription(
    "Where rows grow, whether the token that crosses --top-p stays (standard) or goes (strict, as xlm-core has it)",
  ),
  Flag.optional,
)
const seed = Flag.Int("seed").pipe(
  Flag.withDescription("The same seed gives the same texts"),
  Flag.withDefault(0),
)
const prompt = Flag.String("prompt").pipe(
  Flag.withDescription("Text that each sample begins with"),
  Flag.withDefault(""),
)
const suffix = Flag.String("suffix").pipe(
  Flag.withDescription(
    "Text that each sample ends with (infilling); not of next-token networks. Nothing is inserted within prompt or suffix",
  ),
  Flag.withDefault(""),
)
const cache = Flag.Literals("cache", ["on", "off"]).pipe(
  Flag.withDescription(
    "on: no forward pass for a step of the chain that reveals nothing, which changes no text; off: one at every step",
  ),
  Flag.withDefault("on"),
)
const watch = Flag.Boolean("watch").pipe(
  Flag.withDescription(
    "Show each text being unmasked and, where rows grow, inserted, on a terminal; texts then go one at a time",
  ),
  Flag.withDefault(false),
)
const out = Flag.String("out").pipe(
  Flag.withDescription("Also write the texts and their tokens to this file, one JSON document a line"),
  Flag.optional,
)
export const sampleCommand = Command.make(
  "sample",
  {
    run: run.pipe(Argument.optional),
    checkpoint,
    spec,
    profile,
    set,
    names,
    count,
    length,
    sampler,
    steps,
    block,
    temperature,
    topP,
    rule,
    grid,
    confidence,
    hazard,
    window,
    overflow,
    specials,
    nucleus,
    seed,
    prompt,
    suffix,
    cache,
    watch,
    out,
    ...engineFlags,
    runs,
    json,
  },
  (input) =>
    runHandler("sample", input, async () => {
      const { sample } = await import("../../app/sample.js")
      return sample(input)
    }),
).pipe(
  Command.withDescription(
    "Generate texts with the last weights of a run (the moving average where it keeps one), of a fixed length or of one that the network finds itself. Prints the texts, their unigram entropy, the forward passes they took and tokens per second. MASK and PAD are never drawn unless --specials asks for it, nor the boundary token where a model is given it. Networks whose rows grow are sampled with the schedules that they were trained with. Exit codes: 0 finished, 1 failed, 2 invalid use, 3 stopped before the end.",
  ),
  Command.withShortDescription("Generate texts with a run's weights"),
  Command.withExamples([
    { command: "repro sample latest --watch", description: "See four texts being unmasked" },
    {
      command:
        'repro sample latest --prompt "The people of" --sampler confidence --temperature 0.8 --top-p 0.9',
      description: "Go on from a prompt, the surest tokens first",
    },
    {
      command: "repro sample latest --sampler tau --steps 128 --rule exactly-one --overflow fill",
      description: "A network whose rows grow, by the published rules",
    },
    {
      command: "repro sample latest --length 256 --block 16 --steps 256 --seed 7 --out texts.ndjson",
      description: "Longer than the training length, block by block",
    },
  ]),
)
