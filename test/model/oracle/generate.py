"""Golden values for test/model/*.test.ts, computed by PyTorch in float64.

    python3 test/model/oracle/generate.py && npx prettier --write test/model/oracle

An independent statement of the published mathematics: dense logits over every class at every position, MASK and
PAD logits at -1e6, a [rows, length] mask, torch.autograd and torch.optim. Parameters are float32 numbers, so that
both sides start from the same bits; everything after that is float64. Written with PyTorch 2.13.
"""

import base64
import json
import math
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
HERE = pathlib.Path(__file__).parent
RMS_EPS = torch.finfo(torch.float32).eps


def pack(tensor):
    data = tensor.detach().to(torch.float32).contiguous().numpy().astype("<f4").tobytes()
    return {"shape": list(tensor.shape), "f32": base64.b64encode(data).decode()}


def norm(x):
    return F.rms_norm(x, (x.shape[-1],), eps=RMS_EPS)


def rotate(x, base):
    """x: [rows, length, heads, width]; pairs (j, j + width / 2) turned by -position * base^(-2j / width)."""
    length, width = x.shape[1], x.shape[3]
    rate = base ** (-torch.arange(0, width, 2) / width)
    angle = torch.arange(length)[:, None] * rate[None, :]
    turned = torch.view_as_complex(torch.stack(x.chunk(2, dim=-1), dim=-1).contiguous())
    turned = turned * torch.polar(torch.ones_like(angle), -angle)[None, :, None, :]
    return torch.cat([turned.real, turned.imag], dim=-1)


def attention(q, k, v, causal):
    group = q.shape[2] // k.shape[2]
    k, v = (t.repeat_interleave(group, dim=2) for t in (k, v))
    q, k, v = (t.transpose(1, 2) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2)


def lin(p, name, x):
    return F.linear(x, p[name + ".weight"], p.get(name + ".bias"))


def mdlm_logits(p, m, ids, sigma):
    rows, length = ids.shape
    n = m["frequencies"]
    angle = sigma[:, None] * torch.exp(-math.log(10000) * torch.arange(n) / n)[None, :]
    c = F.silu(lin(p, "sigma_map.mlp.2", F.silu(lin(p, "sigma_map.mlp.0", torch.cat([angle.sin(), angle.cos()], 1)))))
    width = m["width"] // m["heads"]

    def attend(at, h):
        q = lin(p, at + ".attn.c_q", h).view(rows, length, m["heads"], width)
        k = lin(p, at + ".attn.c_k", h).view(rows, length, m["kv_heads"], width)
        v = lin(p, at + ".attn.c_v", h).view(rows, length, m["kv_heads"], width)
        q, k = norm(rotate(q, m["base"])), norm(rotate(k, m["base"]))
        return lin(p, at + ".attn.c_proj", attention(q, k, v, m["causal"]).reshape(rows, length, -1))

    def mlp(at, h):
        return lin(p, at + ".mlp_proj", F.relu(lin(p, at + ".mlp_fc", h)) ** 2)

    def modulated(x, scale, shift):
        return norm(x) * (1 + scale[:, None]) + shift[:, None]

    x = p["wte.weight"][ids]
    for i in range(m["layers"]):
        at = f"blocks.{i}"
        if m["gated"]:
            sa, ca, ga, sm, cm, gm = lin(p, at + ".adaln.proj", c).chunk(6, dim=1)
            x = x + ga[:, None] * attend(at, modulated(x, ca, sa))
            x = x + gm[:, None] * mlp(at, modulated(x, cm, sm))
        else:
            x = x + attend(at, modulated(x, *lin(p, at + ".adaln_attn.proj", c).chunk(2, dim=1)))
            x = x + mlp(at, modulated(x, *lin(p, at + ".adaln_mlp.proj", c).chunk(2, dim=1)))
    if m["gated"]:
        shift, scale = lin(p, "final.proj", c).chunk(2, dim=1)
        return lin(p, "head", modulated(x, scale, shift))
    return lin(p, "head", norm(x))


def gpt_logits(p, m, ids):
    rows, length = ids.shape
    width = m["width"] // m["heads"]
    x = x0 = norm(p["tok_emb.weight"][ids])
    kept = []
    half = m["layers"] // 2
    for i in range(m["layers"]):
        at = f"blocks.{i}"
        if i >= half and kept:
            x = x + p["skip_weights"][i - half] * kept.pop()
        mix = p[at + ".resid_mix"]
        x = mix[0] * x + mix[1] * x0
        h = norm(x)
        q = norm(lin(p, at + ".attn.c_q", h).view(rows, length, m["heads"], width))
        k = norm(lin(p, at + ".attn.c_k", h).view(rows, length, m["kv_heads"], width))
        v = lin(p, at + ".attn.c_v", h).view(rows, length, m["kv_heads"], width)
        q = rotate(q, m["base"]) * p[at + ".attn.q_gain"][:, None]
        y = attention(q, rotate(k, m["base"]), v, m["causal"])
        x = x + p[at + ".attn_scale"] * lin(p, at + ".attn.proj", y.reshape(rows, length, -1))
        x = x + p[at + ".mlp_scale"] * lin(p, at + ".mlp.proj", F.relu(lin(p, at + ".mlp.fc", norm(x))) ** 2)
        if i < half:
            kept.append(x)
    logits = norm(x) @ p["tok_emb.weight"].T
    return m["softcap"] * torch.tanh(logits / m["softcap"])


VOCAB, MASK, PAD, BOUNDARY, EPS = 11, 11, 12, 1, 1e-3


def subs_loss(logits, xt, x0, t):
    """The published training loss of given masks and times: dsigma weights, divided by the non-PAD positions."""
    logits = logits[..., :13].clone()
    logits[..., MASK] = -1e6
    logits[..., PAD] = -1e6
    frozen = torch.full_like(logits, -1e6).scatter(-1, xt[..., None], 0.0)
    log_p = torch.where((xt != MASK)[..., None], frozen, logits.log_softmax(-1))
    safe = x0.masked_fill(x0 == PAD, 0)
    nats = -log_p.gather(-1, safe[..., None])[..., 0]
    weight = (1 - EPS) / (1 - (1 - EPS) * t)
    content = x0 != PAD
    return (weight[:, None] * nats * ((xt == MASK) & content)).sum() / content.sum(), nats[xt == MASK]


def random_parameters(shapes, generator):
    return {
        name: (0.4 * torch.randn(shape, generator=generator)).to(torch.float32).to(torch.float64).requires_grad_()
        for name, shape in shapes.items()
    }


def mdlm_shapes(m):
    d, c = m["width"], m["condition"]
    kv = d // m["heads"] * m["kv_heads"]
    out = {"wte.weight": (m["rows"], d)}

    def dense(name, rows, columns, bias):
        out[name + ".weight"] = (rows, columns)
        if bias:
            out[name + ".bias"] = (rows,)

    dense("sigma_map.mlp.0", m["hidden"], 2 * m["frequencies"], True)
    dense("sigma_map.mlp.2", c, m["hidden"], True)
    for i in range(m["layers"]):
        at = f"blocks.{i}"
        dense(at + ".attn.c_q", d, d, False)
        dense(at + ".attn.c_k", kv, d, False)
        dense(at + ".attn.c_v", kv, d, False)
        dense(at + ".attn.c_proj", d, d, False)
        for name, count in [("adaln", 6)] if m["gated"] else [("adaln_attn", 2), ("adaln_mlp", 2)]:
            dense(f"{at}.{name}.proj", count * d, c, True)
        dense(at + ".mlp_fc", m["mlp"], d, m["bias"])
        dense(at + ".mlp_proj", d, m["mlp"], m["bias"])
    if m["gated"]:
        dense("final.proj", 2 * d, c, True)
    dense("head", m["rows"], d, m["bias"])
    return out


def gpt_shapes(m):
    d, kv = m["width"], m["width"] // m["heads"] * m["kv_heads"]
    out = {"skip_weights": (m["layers"] // 2, d), "tok_emb.weight": (m["rows"], d)}
    for i in range(m["layers"]):
        at = f"blocks.{i}"
        out |= {
            at + ".attn_scale": (d,),
            at + ".mlp_scale": (d,),
            at + ".resid_mix": (2, d),
            at + ".attn.q_gain": (m["heads"],),
            at + ".attn.c_q.weight": (d, d),
            at + ".attn.c_k.weight": (kv, d),
            at + ".attn.c_v.weight": (kv, d),
            at + ".attn.proj.weight": (d, d),
            at + ".mlp.fc.weight": (m["mlp"], d),
            at + ".mlp.proj.weight": (d, m["mlp"]),
        }
    return out


def masked_batch(generator):
    """Three rows of eight tokens: one full, one ending in a boundary and PAD, one short."""
    x0 = torch.tensor(
        [[4, 7, 2, 9, 5, 5, 10, 3], [6, 8, 3, 0, 1, PAD, PAD, PAD], [10, 1, PAD, PAD, PAD, PAD, PAD, PAD]]
    )
    t = torch.tensor([0.6, 0.9, 0.8])
    move = torch.rand(x0.shape, generator=generator) < (1 - EPS) * t[:, None]
    move &= (x0 != BOUNDARY) & (x0 != PAD)
    move[2, 0] = True
    return x0, torch.where(move, MASK, x0), t


class Muon:
    """Newton-Schulz orthogonalised Nesterov momentum, in float64."""

    def __init__(self, params, lr, momentum, steps, decay):
        self.params, self.lr, self.momentum, self.steps, self.decay = params, lr, momentum, steps, decay
        self.buffers = [torch.zeros_like(p) for p in params]

    @torch.no_grad()
    def step(self):
        for p, buffer in zip(self.params, self.buffers):
            buffer.mul_(self.momentum).add_(p.grad)
            x = p.grad + self.momentum * buffer
            x = x / (x.norm() + 1e-7)
            flip = x.shape[0] > x.shape[1]
            x = x.T if flip else x
            for _ in range(self.steps):
                a = x @ x.T
                x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
            x = x.T if flip else x
            p.mul_(1 - self.lr * self.decay).sub_(self.lr * max(1, p.shape[0] / p.shape[1]) ** 0.5 * x)


def is_block_matrix(name, p):
    return p.ndim == 2 and name.startswith("blocks.") and "adaln" not in name and "resid_mix" not in name


def optimise(parameters, loss, kind, steps=3):
    """Parameters after three clipped steps, and the norm before clipping of the last."""
    p = {name: value.detach().clone().requires_grad_() for name, value in parameters.items()}
    matrices = [v for n, v in p.items() if is_block_matrix(n, v)]
    tables = [v for n, v in p.items() if n in ("wte.weight", "head.weight", "tok_emb.weight")]
    chosen = {id(v) for v in matrices + tables}
    rest = [v for v in p.values() if id(v) not in chosen]
    if kind == "adamw":
        optimizers = [torch.optim.AdamW(p.values(), lr=3e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)]
    else:
        optimizers = [
            Muon(matrices, lr=0.02, momentum=0.9, steps=5, decay=0.05),
            torch.optim.AdamW(tables, lr=5e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0),
            torch.optim.AdamW(rest, lr=3e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0),
        ]
    average = {name: value.detach().clone() for name, value in p.items()}
    for _ in range(steps):
        for v in p.values():
            v.grad = None
        loss(p).backward()
        for v in p.values():
            v.grad = torch.zeros_like(v) if v.grad is None else v.grad
        total = torch.nn.utils.clip_grad_norm_(list(p.values()), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        for name, v in p.items():
            average[name].mul_(0.9).add_(v.detach(), alpha=0.1)
    return {
        "gradNorm": float(total),
        "parameters": {n: pack(v) for n, v in p.items()},
        "average": {n: pack(v) for n, v in average.items()},
    }


def write(name, parameters, loss, extra, train):
    for value in parameters.values():
        value.grad = None
    total = loss(parameters)
    total.backward()
    golden = extra | {
        "loss": total.item(),
        "parameters": {n: pack(v) for n, v in parameters.items()},
        "gradients": {n: pack(torch.zeros_like(v) if v.grad is None else v.grad) for n, v in parameters.items()},
    }
    if train:
        golden |= {kind: optimise(parameters, loss, kind) for kind in ("adamw", "muon")}
    (HERE / f"{name}.json").write_text(json.dumps(golden, indent=2) + "\n")


def masked_case(name, m, train=False):
    generator = torch.Generator().manual_seed(7)
    p = random_parameters(mdlm_shapes(m) if m["kind"] == "mdlm" else gpt_shapes(m), generator)
    x0, xt, t = masked_batch(generator)
    sigma = -torch.log(1 - (1 - EPS) * t)

    def logits(q):
        return mdlm_logits(q, m, xt, sigma) if m["kind"] == "mdlm" else gpt_logits(q, m, xt)

    _, nats = subs_loss(logits(p), xt, x0, t)
    extra = {
        "x0": x0.flatten().tolist(),
        "xt": xt.flatten().tolist(),
        "times": t.tolist(),
        "nats": nats.tolist(),
    }
    write(name, p, lambda q: subs_loss(logits(q), xt, x0, t)[0], extra, train)


def next_token_case(name, m):
    generator = torch.Generator().manual_seed(8)
    p = random_parameters(mdlm_shapes(m) if m["kind"] == "mdlm" else gpt_shapes(m), generator)
    ids = torch.randint(0, VOCAB, (2, 7), generator=generator)
    inputs, targets = ids[:, :-1], ids[:, 1:]

    def nats(q):
        z = mdlm_logits(q, m, inputs, torch.zeros(2)) if m["kind"] == "mdlm" else gpt_logits(q, m, inputs)
        z = z[..., :VOCAB]
        return F.cross_entropy(z.reshape(-1, VOCAB), targets.reshape(-1), reduction="none")

    extra = {"inputs": inputs.flatten().tolist(), "targets": targets.flatten().tolist(), "nats": nats(p).tolist()}
    write(name, p, lambda q: nats(q).mean(), extra, False)


MDLM = dict(kind="mdlm", layers=2, width=8, heads=2, kv_heads=2, mlp=24, rows=16, frequencies=3, hidden=5,
            condition=6, base=10000.0, causal=False, gated=False, bias=False)  # fmt: skip
GPT = dict(kind="gpt", layers=3, width=8, heads=4, kv_heads=2, mlp=16, rows=11, base=10000.0, causal=True, softcap=3.0)

masked_case("mdlm", MDLM, train=True)
masked_case("mdlm-gated", MDLM | dict(gated=True, bias=True, kv_heads=1, condition=4))
masked_case("gpt-masked", GPT | dict(causal=False, rows=14))
next_token_case("mdlm-causal", MDLM | dict(causal=True, layers=1))
next_token_case("gpt", GPT)
