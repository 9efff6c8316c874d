/** Which weights of a file are scored: what contradicts the spec is refused, and what is left out is named. */
import { test } from "tap"
import type { StoredTensor, UnreadTensor } from "../../src/files/safetensors.js"
import { weightsOf, type WeightsOptions } from "../../src/inference/weights.js"
import { accountOf, weightsSentences } from "../../src/inference/weights/account.js"
import { grouped } from "../../src/inference/weights/names.js"
import { networkOf } from "../../src/families/traced.js"
import { initialise } from "../../src/model/parameters.js"
import type { GptModel, MdlmModel } from "../../src/spec/model.js"
import { tinyExperiment } from "../train/tiny.js"

const GPT: GptModel = {
  kind: "gpt",
  layers: 2,
  width: 16,
  heads: 2,
  kvHeads: 1,
  mlpRatio: 2,
  ropeBase: 10000,
  logitSoftcap: 30,
  qGain: 1.5,
  tiedEmbeddingStd: 0.005,
}
const MDLM = tinyExperiment().model as MdlmModel

type Stored = Readonly<Record<string, StoredTensor>>

const f32 = (shape: readonly number[], value: (i: number) => number): StoredTensor => ({
  dtype: "F32",
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => value(i)),
})

const setOf = (model: GptModel | MdlmModel, seed = 1) => {
  const objective = {
    kind: model.kind === "gpt" ? ("autoregressive" as const) : ("masked-diffusion" as const),
  }
  const network = networkOf({ model, objective, data: { tokenizer: { vocabSize: 64 } } })
  const tensors: Stored = Object.fromEntries(
    Object.entries(initialise(network.parameters, seed)).map(([name, { shape, data }]) => [
      name,
      { dtype: "F32", shape, data },
    ]),
  )
  return { network, tensors }
}

const gpt = setOf(GPT)
const other = setOf(GPT, 2).tensors

const renamed = (tensors: Stored, to: (name: string) => string): Stored =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [to(name), tensor]))

const load = (
  tensors: Stored,
  options: WeightsOptions = {},
  unread: ReadonlyMap<string, UnreadTensor> = new Map(),
) =>
  weightsOf(
    { format: "pytorch", step: null, tensors: new Map(Object.entries(tensors)), unread },
    gpt.network,
    "w.pt",
    {
      model: GPT,
      ...options,
    },
  )

const same = (loaded: ReturnType<typeof weightsOf>, tensors: Stored): boolean =>
  Object.entries(loaded.parameters).every(
    ([name, { data }]) =>
      Buffer.compare(Buffer.from(data.buffer), Buffer.from(tensors[name]!.data.buffer)) === 0,
  )

void test("wrappers are taken off wherever they stand, in any order", (t) => {
  for (const [to, names] of [
    [(n: string) => `model._orig_mod.${n}`, {}],
    [(n: string) => `_orig_mod.module.${n}`, {}],
    [(n: string) => `module._orig_mod.${n}`, {}],
    [(n: string) => `module.model._orig_mod.${n}`, {}],
    [(n: string) => n.replace(/^(blocks\.\d+)\./, "$1._orig_mod."), {}],
    [
      (n: string) => n.replace(/^blocks\.(\d+)\.attn\./, "blocks.$1._checkpoint_wrapped_module.attn.module."),
      {},
    ],
    [(n: string) => `_fsdp_wrapped_module.${n}`, {}],
    [(n: string) => `model._orig_mod.${n}`, { "model.": "" }],
    [(n: string) => `model._orig_mod.${n}`, { "model._orig_mod.": "" }],
    [(n: string) => `_orig_mod.model.${n}`, { "model.": "" }],
    [(n: string) => `module.model.${n}`, { "model.": "" }],
    [(n: string) => `state/${n}`, { "state/": "" }],
  ] as const) {
    const file = renamed(gpt.tensors, to)
    t.ok(same(load(file, { names }), gpt.tensors), Object.keys(file)[3]!)
  }
  const twice = { ...gpt.tensors, "module.skip_weights": gpt.tensors["skip_weights"]! }
  t.throws(() => load(twice), /both skip_weights and module\.skip_weights stand for skip_weights/)
  t.ok(same(load(twice, { names: { "module.skip_weights": null } }), gpt.tensors))
  t.throws(
    () => load(renamed(gpt.tensors, (n) => `model.${n}`)),
    /it lacks 22 of the network's 22 tensors: .*It has all of them with model\. in front: .*\{"model\.": ""\}/,
  )
  t.end()
})

void test("contradictions are errors, unless the name map says null", (t) => {
  const { tensors } = gpt
  const layer = renamed(
    Object.fromEntries(Object.entries(tensors).filter(([name]) => name.startsWith("blocks.1."))),
    (name) => name.replace("blocks.1.", "blocks.2."),
  )
  const matrix = f32([16, 16], (i) => i + 1)
  const head = f32([64, 16], (i) => i)
  const frequencies = (base: number, count = 4) => f32([count], (i) => base ** (-i / count))
  const table = (f: (x: number) => number, base: number) =>
    f32([1, 32, 1, 4], (i) => f(Math.floor(i / 4) * base ** (-(i % 4) / 4)))
  // cos and sin of each angle side by side, as torch.view_as_real gives a complex table.
  const pairs = (base: number) =>
    f32([32, 4, 2], (i) => {
      const angle = Math.floor(i / 8) * base ** (-(Math.floor(i / 2) % 4) / 4)
      return i % 2 === 0 ? Math.cos(angle) : Math.sin(angle)
    })
  t.same(load({ ...tensors, "rope.freqs_cis": pairs(10000) }).buffers, ["rope.freqs_cis"])
  const moments = { "ema.shadow_params.3.weight": head, "optimizer.state.0.weight": head }
  t.ok(same(load({ ...tensors, ...moments }), tensors), "an average or a moment is no output layer")
  const cases: readonly (readonly [Stored, RegExp])[] = [
    [layer, /more layers than the spec's 2: blocks\.2 \(10 tensors\).*"blocks\.2\."/],
    [
      { "lm_head.weight": head },
      /output layer of its own, lm_head\.weight \[64, 16\], where .* ties .* tok_emb\.weight/,
    ],
    [{ "head.weight": head }, /output layer of its own, head\.weight/],
    [{ "readout.weight": head }, /output layer of its own, readout\.weight/],
    [{ "lm_head.weight": f32([16, 64], (i) => i) }, /output layer of its own, lm_head\.weight \[16, 64\]/],
    [{ "lm_head.bias": f32([64], () => 1) }, /output layer of its own, lm_head\.bias/],
    [{ "blocks.0.attn.c_q.bias": f32([16], () => 0.1) }, /it has blocks\.0\.attn\.c_q\.bias, which acts on/],
    [{ "blocks.1.mlp.fc.lora_A.weight": matrix }, /it has blocks\.1\.mlp\.fc\.lora_A\.weight, which acts on/],
    [
      { "blocks.0.attn.rotary.inv_freq": frequencies(500000) },
      /inv_freq holds frequencies of base 500000, .* base 10000/,
    ],
    [{ "rotary.inv_freq": frequencies(10100) }, /holds frequencies of base 10100/],
    [{ inv_freq: frequencies(10000, 8) }, /inv_freq holds 8 frequencies, .* computes 4 of base 10000/],
    [{ inv_freq: f32([4], (i) => 0.25 * 10000 ** (-i / 4)) }, /frequencies of no single base/],
    [{ "rope.cos": table(Math.cos, 20000) }, /rope\.cos holds a table of other angles/],
    [{ "rope.sin": table(Math.sin, 20000) }, /rope\.sin holds a table of other angles/],
    [{ "rope.cos_table": table(Math.cos, 20000) }, /rope\.cos_table holds a table of other angles/],
    [{ "rope.freqs_cis": pairs(20000) }, /rope\.freqs_cis holds a table of other angles/],
    [{ "heads.lm.weight": head }, /output layer of its own, heads\.lm\.weight/],
  ]
  for (const [extra, expected] of cases) {
    const [name] = Object.keys(extra)
    t.throws(() => load({ ...tensors, ...extra }), expected, name!)
    const entry = name!.startsWith("blocks.2.") ? "blocks.2." : name!
    const loaded = load({ ...tensors, ...extra }, { names: { [entry]: null } })
    t.ok(same(loaded, tensors))
    t.same(loaded.unused, Object.keys(extra), `${name} is named as left out`)
  }
  t.end()
})

/** Values as bfloat16 cuts them. */
const bf16 = (values: Float32Array): Float32Array => {
  const bits = new Uint32Array(values.buffer).map((word) => word & 0xffff0000)
  return new Float32Array(bits.buffer)
}

void test("what only repeats the spec's network is no contradiction, and is named", (t) => {
  const { tensors } = gpt
  const inverse = f32([4], (i) => 10000 ** (-i / 4))
  const loaded = load({
    ...tensors,
    "lm_head.weight": tensors["tok_emb.weight"]!,
    "blocks.0.attn.c_q.bias": f32([16], () => 0),
    "blocks.0.attn.mask": f32([4, 4], () => 1),
    "blocks.0.attn.rotary.inv_freq": inverse,
    "rotary.inv_freq": { ...inverse, data: bf16(inverse.data as Float32Array) },
    "rope.cos": f32([32, 8], (i) => Math.cos(Math.floor(i / 8) * 10000 ** (-(i % 4) / 4))),
  })
  t.ok(same(loaded, tensors))
  t.same(loaded.unused, ["lm_head.weight", "blocks.0.attn.c_q.bias", "blocks.0.attn.mask"])
  t.same(loaded.buffers, ["blocks.0.attn.rotary.inv_freq", "rotary.inv_freq", "rope.cos"])
  t.end()
})

void test("the buffers of the masked diffusion network", (t) => {
  const { network, tensors } = setOf(MDLM)
  const { conditioning } = MDLM
  const count = conditioning.kind === "sigma" ? conditioning.frequencies : 64
  const read = (extra: Stored) =>
    weightsOf(
      { format: "safetensors", step: null, tensors: new Map(Object.entries({ ...tensors, ...extra })) },
      network,
      "w",
      { model: MDLM },
    )
  const freqs = (base: number) => ({ "sigma_map.freqs": f32([count], (i) => base ** (-i / count)) })
  t.same(read(freqs(10000)).buffers, ["sigma_map.freqs"])
  t.throws(() => read(freqs(1000)), /sigma_map\.freqs holds frequencies of base 1000, .* base 10000/)
  t.throws(
    () => read({ "lm_head.weight": f32(network.parameters[0]!.shape, () => 1) }),
    /a second output layer, lm_head/,
  )
  t.throws(
    () => read({ "head.bias": f32([network.parameters[0]!.shape[0]!], () => 1) }),
    /it has head\.bias, which acts on/,
  )
  t.end()
})

void test("the moving average: under which name, for every tensor, or said to be absent", (t) => {
  const { tensors } = gpt
  const averaged = (to: (name: string) => string): Stored => ({ ...tensors, ...renamed(other, to) })
  const own = load(
    averaged((n) => `ema/${n}`),
    { ema: 0.999 },
  )
  t.ok(same(own, other))
  t.same([own.set, own.under], ["ema", "ema/"])
  t.same(own.unused, Object.keys(tensors), "the raw weights are named as left out")
  const mapped = load(
    averaged((n) => `ema_model.module.${n}`),
    { ema: 0.999, names: { "ema_model.": "ema/" } },
  )
  t.ok(same(mapped, other))
  t.same([mapped.set, mapped.under], ["ema", "ema_model.module."])
  const raw = load(averaged((n) => `ema/${n}`))
  t.ok(same(raw, tensors), "without emaDecay in the spec")
  t.same([raw.set, raw.under, raw.unused.length], ["raw", "", 22])

  for (const to of [
    (n: string) => `ema.${n}`,
    (n: string) => `model_ema.${n.replaceAll(".", "")}`,
    (n: string) => `ema.shadow_params.${Object.keys(other).indexOf(n)}`,
    (n: string) => `averaged_model/${n}`,
    (n: string) => `emaModel.${n}`,
    (n: string) => `teacher.${n}`,
    (n: string) => `slow.module.${n}`,
  ]) {
    const file = averaged(to)
    const [, lead] = /^([^./]+[./])/.exec(to("skip_weights"))!
    t.throws(
      () => load(file, { ema: 0.999 }),
      /spec evaluates the moving average .*\(emaDecay 0\.999\), and the file seems to hold it by another name: 22 tensors/,
      lead!,
    )
    const left = load(file, { ema: 0.999, names: { [lead!]: null } })
    t.ok(same(left, tensors))
    t.match(
      left.notes.join(" "),
      /the name map leaves the file's average out, so the raw weights were scored/,
    )
    t.equal(left.absent.length, 22)
  }
  const part = Object.fromEntries(
    Object.entries(other)
      .slice(0, 5)
      .map(([n, tensor]) => [`ema/${n}`, tensor]),
  )
  t.throws(
    () => load({ ...tensors, ...part }, { ema: 0.999 }),
    /has it for 5 of 22 tensors only, not for .*\("ema\/": null\)/,
  )
  t.ok(same(load({ ...tensors, ...part }, { ema: 0.999, names: { "ema/": null } }), tensors))
  const partMapped = renamed(part, (n) => n.replace("ema/", "ema."))
  t.throws(
    () => load({ ...tensors, ...partMapped }, { ema: 0.999, names: { "ema.": "ema/" } }),
    /for 5 of 22 tensors only.*\("ema\.": null\)/,
  )
  const alone = load(tensors, { ema: 0.999 })
  t.match(alone.notes, [/the file holds one set of weights, by their plain names, and does not say/])
  const state = renamed(other, (n) => `optimizer.exp_avg.${n}`)
  t.ok(same(load({ ...tensors, ...state }, { ema: 0.999 }), tensors), "an optimiser's moments are no average")
  t.ok(same(load({ ...tensors, ...renamed(other, (n) => `adam.m/${n}`) }, { ema: 0.999 }), tensors))
  const only = renamed(other, (n) => `ema_model.${n}`)
  for (const ema of [false, 0.999]) {
    const mapped = load(only, { ema, names: { "ema_model.": "" } })
    t.ok(same(mapped, other))
    t.same([mapped.set, mapped.under], ["ema", "ema_model."], "the file calls it the average")
    t.equal(mapped.notes.length, ema === false ? 1 : 0)
    t.same(mapped.absent, [])
  }
  const { skip_weights: _, ...averagedOnly } = other
  t.throws(
    () =>
      load(
        {
          skip_weights: tensors["skip_weights"]!,
          ...renamed(averagedOnly, (n) => `ema.${n}`),
        },
        { names: { "ema.": "" } },
      ),
    /takes 21 of 22 tensors from the moving average, .* and the others from the weights themselves/,
  )
  const both = {
    ...renamed(tensors, (n) => `state_dict.${n}`),
    ...renamed(other, (n) => `state_dict_ema.${n}`),
  }
  t.throws(
    () => load(both, { ema: 0.999 }),
    /under "state_dict\." and "state_dict_ema\." and none by plain names\. .*"state_dict_ema\.": "ema\/" where/,
  )
  t.throws(() => load(both), /any of state_dict\., state_dict_ema\. in front: .*\{"state_dict\.": ""\}/)
  t.throws(
    () =>
      load(
        averaged((n) => `${n}_ema`),
        { ema: 0.999 },
      ),
    /Save it under a prefix of its own, such as ema\/NAME/,
  )
  const swa = load(
    { ...renamed(tensors, (n) => `module.${n}`), n_averaged: f32([], () => 5) },
    { ema: 0.999 },
  )
  t.match(swa.notes.join(" "), /n_averaged\): the weights under its plain names are an average themselves/)
  t.end()
})

void test("element types matter only for tensors that are used", (t) => {
  const { tensors } = gpt
  const unread = new Map([["scale", { type: "float8_e4m3fn", shape: [4] }]])
  const loaded = load(
    { ...tensors, steps: { dtype: "I64", shape: [1], data: BigInt64Array.of(3n) } },
    {},
    unread,
  )
  t.ok(same(loaded, tensors))
  t.same(loaded.unused, ["steps", "scale"])
  const { "blocks.0.mlp.fc.weight": _, ...rest } = tensors
  for (const type of ["float8_e4m3fn", "complex64", "a quantised tensor"])
    t.throws(
      () => load(rest, {}, new Map([["blocks.0.mlp.fc.weight", { type, shape: [32, 16] }]])),
      new RegExp(`blocks\\.0\\.mlp\\.fc\\.weight is ${type}, not floating-point numbers`),
    )
  t.throws(
    () => load(rest, {}, new Map([["blocks.0.mlp.fc.weight", { type: "a sparse tensor", shape: null }]])),
    /is a sparse tensor, not floating-point/,
  )
  t.end()
})

void test("a weight that is no finite number is named", (t) => {
  const { tensors } = gpt
  const broken = (name: string, value: number, at: number): Stored => {
    const { shape, data } = tensors[name]!
    const copy = (data as Float32Array).slice()
    copy[at] = value
    return { [name]: { dtype: "F32", shape, data: copy } }
  }
  t.throws(
    () => load({ ...tensors, ...broken("blocks.1.mlp.fc.weight", Number.NaN, 35) }),
    /blocks\.1\.mlp\.fc\.weight has 1 of 512 values that are not finite numbers \(the first, NaN, at \[2, 3\]\); nothing was evaluated/,
  )
  t.throws(
    () =>
      load({
        ...tensors,
        ...broken("skip_weights", Number.NEGATIVE_INFINITY, 1),
        ...broken("tok_emb.weight", Number.NaN, 0),
      }),
    /skip_weights has 1 of 16 .*the first, -Infinity, at \[0, 1\]\), and so have 1 more tensors: tok_emb\.weight/,
  )
  const wide = { dtype: "F64" as const, shape: [1, 16], data: new Float64Array(16).fill(1e300) }
  t.throws(
    () => load({ ...tensors, skip_weights: wide }),
    /skip_weights has 16 of 16 values that are not finite/,
  )
  const spare = load({ ...tensors, spare: f32([1], () => Number.NaN) })
  t.same(spare.unused, ["spare"], "one that is not used does not matter")
  t.end()
})

void test("matrices that lie the other way round are called that", (t) => {
  const turned: Stored = Object.fromEntries(
    Object.entries(gpt.tensors).map(([name, { dtype, shape, data }]) => [
      name,
      { dtype, shape: shape.length === 2 ? shape.toReversed() : shape, data },
    ]),
  )
  t.throws(
    () => load(turned),
    /its matrices are transposed, \[in, out\] as in GPT-2's Conv1D.*square ones too/,
  )
  t.end()
})

void test("the account names every tensor, grouped by number", (t) => {
  t.same(grouped(["blocks.0.a", "blocks.1.a", "blocks.2.a", "blocks.0.b", "c"]), [
    "blocks.{0-2}.a",
    "blocks.0.b",
    "c",
  ])
  t.same(grouped(["s.0.m", "s.0.v", "s.2.m", "s.2.v"]), ["s.{0,2}.m", "s.{0,2}.v"])
  t.same(grouped(["b.0.h.0", "b.0.h.1", "b.1.h.0"]), ["b.{0-1}.h.0", "b.0.h.1"])
  const file = { file: "w.pt", sha256: "ab" }
  const checkpoint = { format: "pytorch", step: 7 } as const
  const clean = accountOf(load(gpt.tensors), checkpoint, file)
  t.same(weightsSentences(clean), [
    "Weights scored: the weights by their plain names (raw) in w.pt, 22 tensors; the file holds no others.",
  ])
  const full = accountOf(
    load(
      {
        ...gpt.tensors,
        "rope.inv_freq": f32([4], (i) => 10000 ** (-i / 4)),
        "opt.0.x": f32([1], () => 1),
        "opt.1.x": f32([1], () => 1),
      },
      { ema: 0.999 },
    ),
    checkpoint,
    file,
  )
  t.match(weightsSentences(full), [
    /raw\) in w\.pt, 22 tensors\.$/,
    /emaDecay 0\.999/,
    "Left out of w.pt, 2 tensors: opt.{0-1}.x.",
    "Computed anew and not read from w.pt, 1 tensor: rope.inv_freq.",
    "Absent from w.pt, 22 tensors: ema/NAME, the moving average, of every tensor.",
  ])
  t.equal(full.absent.length, 22, "in full for programs")
  t.end()
})
