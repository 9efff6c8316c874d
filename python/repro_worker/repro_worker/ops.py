"""Every operation of the graph IR as a PyTorch function: tensors by position, attributes by name.

Reductions, softmax and the like compute in fp32 whatever the precision; matrix products and attention are
left to autocast. A graph that uses an operation which is not in `OPS` is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from repro_worker import flex, sums
from repro_worker.frames import dtype_of


def _full(x: Tensor) -> Tensor:
    return x.float() if x.dtype == torch.bfloat16 else x


def _step(x: Tensor) -> Tensor:
    return (x > 0).to(x.dtype)


def _softplus(x: Tensor) -> Tensor:
    return F.softplus(_full(x))


def _exp(x: Tensor) -> Tensor:
    return torch.exp(_full(x))


def _log(x: Tensor) -> Tensor:
    return torch.log(_full(x))


def _log1p(x: Tensor) -> Tensor:
    return torch.log1p(_full(x))


def _squared_difference(a: Tensor, b: Tensor) -> Tensor:
    return torch.square(a - b)


def _sum(x: Tensor, *, axes: Sequence[int], keep_dims: bool) -> Tensor:
    x = _full(x)
    return torch.sum(x, list(axes), keepdim=keep_dims, dtype=x.dtype) if axes else x


def _mean(x: Tensor, *, axes: Sequence[int], keep_dims: bool) -> Tensor:
    x = _full(x)
    return torch.mean(x, list(axes), keepdim=keep_dims) if axes else x


def _max(x: Tensor, *, axes: Sequence[int], keep_dims: bool) -> Tensor:
    return torch.amax(x, list(axes), keepdim=keep_dims) if axes else x


def _min(x: Tensor, *, axes: Sequence[int], keep_dims: bool) -> Tensor:
    return torch.amin(x, list(axes), keepdim=keep_dims) if axes else x


def _prod(x: Tensor, *, axes: Sequence[int], keep_dims: bool) -> Tensor:
    x = _full(x)
    for axis in sorted(axes, reverse=True):
        x = torch.prod(x, axis, keepdim=keep_dims, dtype=x.dtype)
    return x


def _cast(x: Tensor, *, to: str) -> Tensor:
    return x != 0 if to == "bool" else x.to(dtype_of(to))


def _reshape(x: Tensor, *, shape: Sequence[int]) -> Tensor:
    return x.reshape(list(shape))


def _transpose(x: Tensor, *, perm: Sequence[int]) -> Tensor:
    return x.permute(list(perm))


def _broadcast_to(x: Tensor, *, shape: Sequence[int]) -> Tensor:
    return x.expand(list(shape))


def _concat(*xs: Tensor, axis: int) -> Tensor:
    return torch.cat(xs, axis)


def _slice(x: Tensor, *, begin: Sequence[int], size: Sequence[int]) -> Tensor:
    for axis, (start, length) in enumerate(zip(begin, size, strict=True)):
        if length != x.shape[axis]:
            x = x.narrow(axis, start, length)
    return x


def _pad(x: Tensor, *, paddings: Sequence[Sequence[int]], value: float) -> Tensor:
    flat = [count for pair in reversed(paddings) for count in pair]
    return F.pad(x, flat, value=float(value))


def _tile(x: Tensor, *, reps: Sequence[int]) -> Tensor:
    return x.repeat(*reps)


def _reverse(x: Tensor, *, axes: Sequence[int]) -> Tensor:
    return torch.flip(x, list(axes))


def _mat_mul(a: Tensor, b: Tensor, *, transpose_a: bool, transpose_b: bool) -> Tensor:
    return torch.matmul(a.mT if transpose_a else a, b.mT if transpose_b else b)


def _softmax(x: Tensor) -> Tensor:
    return F.softmax(_full(x), -1)


def _log_softmax(x: Tensor) -> Tensor:
    return F.log_softmax(_full(x), -1)


def _gather(x: Tensor, indices: Tensor, *, axis: int) -> Tensor:
    if axis == 0 and x.is_floating_point() and sums.by_tree(x):
        return sums.gather_rows(x, indices)
    if axis == 0 and x.dim() == 2 and x.is_floating_point():
        return F.embedding(indices, x)  # its gradient is deterministic
    picked = torch.index_select(x, axis, indices.reshape(-1))
    return picked.reshape(x.shape[:axis] + indices.shape + x.shape[axis + 1 :])


def _one_hot(indices: Tensor, *, depth: int, on: float, off: float) -> Tensor:
    hit = indices.unsqueeze(-1) == torch.arange(depth, device=indices.device)
    return hit.to(torch.float32) * (on - off) + off


def _segment_sum(x: Tensor, ids: Tensor, *, segments: int) -> Tensor:
    x = _full(x)
    if x.is_floating_point() and sums.by_tree(x):
        return sums.segment_sum(x, ids, segments)
    return x.new_zeros([segments, *x.shape[1:]]).index_add(0, ids, x)


def _cumsum(x: Tensor, *, axis: int, exclusive: bool, reverse: bool) -> Tensor:
    x = _full(x)
    if reverse:
        x = torch.flip(x, [axis])
    if exclusive:
        x = torch.cat([torch.zeros_like(x.narrow(axis, 0, 1)), x.narrow(axis, 0, x.shape[axis] - 1)], axis)
    if x.is_floating_point() and sums.by_tree(x):
        x = sums.running_sum(x.movedim(axis, -1)).movedim(-1, axis)
    else:
        x = torch.cumsum(x, axis, dtype=x.dtype)
    return torch.flip(x, [axis]) if reverse else x


def _arg_max(x: Tensor, *, axis: int) -> Tensor:
    return torch.argmax(x, axis).to(torch.int32)


def _top_k(x: Tensor, *, k: int) -> tuple[Tensor, Tensor]:
    values, indices = torch.sort(
        x, dim=-1, descending=True, stable=True
    )  # topk leaves the order of ties open
    return values[..., :k], indices[..., :k].to(torch.int32)


def _seen(q: Tensor, k: Tensor, lengths: Tensor, causal: bool) -> Tensor:
    """[B, 1, 1 or T, S]: the keys that a query sees; all of them in rows where it sees none."""
    keys = torch.arange(k.shape[1], device=k.device)
    rows = lengths.view(-1, 1, 1, 1)
    seen = (keys < rows) | (rows <= 0)
    if causal:
        seen = seen & (keys <= torch.arange(q.shape[1], device=q.device).unsqueeze(1))
    return seen


def _where_seen(x: Tensor, lengths: Tensor) -> Tensor:
    """x [B, ...], with 0 in rows whose queries see no key."""
    return torch.where(lengths.view(-1, 1, 1, 1) > 0, x, 0)


def _attention(
    q: Tensor, k: Tensor, v: Tensor, lengths: Tensor | None = None, *, scale: float, causal: bool
) -> Tensor:
    """[B, T, H, D] throughout; lengths: int32 [B]."""
    if flex.serves(q, causal=causal, masked=lengths is not None):
        y = flex.attention(q, k, v, lengths, scale=scale, causal=causal)
        return y if lengths is None else _where_seen(y, lengths)
    seen = None if lengths is None else _seen(q, k, lengths, causal)
    if seen is not None:  # the fused kernels take masks of the whole shape alone
        seen = seen.expand(q.shape[0], q.shape[2], q.shape[1], k.shape[1])
    q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
    plain = causal and seen is None
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, is_causal=plain, scale=scale).transpose(1, 2)
    return y if lengths is None else _where_seen(y, lengths)


def _attention_grad(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    dy: Tensor,
    lengths: Tensor | None = None,
    *,
    scale: float,
    causal: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    seen = None if lengths is None else _seen(q, k, lengths, causal)
    if lengths is not None:
        dy = _where_seen(dy, lengths)
    q, k, v, dy = (x.transpose(1, 2) for x in (q, k, v, dy))
    scores = _full(torch.matmul(q, k.mT)) * scale
    if seen is not None:
        scores = scores.masked_fill(~seen, float("-inf"))
    elif causal:
        future = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(future, float("-inf"))
    p = torch.softmax(scores, -1)
    dp = _full(torch.matmul(dy, v.mT))
    ds = p * (dp - (dp * p).sum(-1, keepdim=True)) * scale
    dq, dk, dv = torch.matmul(ds, k), torch.matmul(ds.mT, q), torch.matmul(p.mT, dy)
    return dq.transpose(1, 2), dk.transpose(1, 2), dv.transpose(1, 2)


def _rotary(x: Tensor, cos: Tensor, sin: Tensor, *, inverse: bool) -> Tensor:
    """x: [B, T, H, D]; cos, sin: [T, D/2]."""
    cos, sin = cos.unsqueeze(1), sin.unsqueeze(1)
    if inverse:
        sin = -sin
    x1, x2 = x.chunk(2, -1)
    return torch.cat([x1 * cos + x2 * sin, x2 * cos - x1 * sin], -1)


def _rms_norm(x: Tensor, *, eps: float) -> Tensor:
    return F.rms_norm(x, x.shape[-1:], eps=eps)


def _rms_norm_grad(x: Tensor, dy: Tensor, *, eps: float) -> Tensor:
    x, dy = _full(x), _full(dy)
    r = torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
    return r * dy - x * r.pow(3) * (x * dy).mean(-1, keepdim=True)


def _cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(_full(logits), targets.long(), reduction="none")


def _cross_entropy_grad(logits: Tensor, targets: Tensor, dy: Tensor) -> Tensor:
    p = torch.softmax(_full(logits), -1)
    hit = targets.unsqueeze(-1) == torch.arange(p.shape[-1], device=p.device)
    return (p - hit.to(p.dtype)) * dy.unsqueeze(-1)


OPS: dict[str, Callable[..., Any]] = {
    "neg": torch.neg,
    "abs": torch.abs,
    "exp": _exp,
    "log": _log,
    "log1p": _log1p,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal,
    "square": torch.square,
    "relu": torch.relu,
    "step": _step,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "erf": torch.erf,
    "softplus": _softplus,
    "sin": torch.sin,
    "cos": torch.cos,
    "floor": torch.floor,
    "sign": torch.sign,
    "logicalNot": torch.logical_not,
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "floorDiv": torch.floor_divide,
    "mod": torch.remainder,
    "pow": torch.pow,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "squaredDifference": _squared_difference,
    "equal": torch.eq,
    "notEqual": torch.ne,
    "less": torch.lt,
    "lessEqual": torch.le,
    "greater": torch.gt,
    "greaterEqual": torch.ge,
    "logicalAnd": torch.logical_and,
    "logicalOr": torch.logical_or,
    "reduceSum": _sum,
    "reduceMean": _mean,
    "reduceMax": _max,
    "reduceMin": _min,
    "reduceProd": _prod,
    "cast": _cast,
    "select": torch.where,
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcastTo": _broadcast_to,
    "concat": _concat,
    "slice": _slice,
    "pad": _pad,
    "tile": _tile,
    "reverse": _reverse,
    "matMul": _mat_mul,
    "softmax": _softmax,
    "logSoftmax": _log_softmax,
    "gather": _gather,
    "oneHot": _one_hot,
    "segmentSum": _segment_sum,
    "cumsum": _cumsum,
    "argMax": _arg_max,
    "topK": _top_k,
    "attention": _attention,
    "attentionGrad": _attention_grad,
    "rotary": _rotary,
    "rmsNorm": _rms_norm,
    "rmsNormGrad": _rms_norm_grad,
    "crossEntropy": _cross_entropy,
    "crossEntropyGrad": _cross_entropy_grad,
}

TAKE_NUMBERS = {
    "add",
    "sub",
    "mul",
    "div",
    "pow",
    "equal",
    "notEqual",
    "less",
    "lessEqual",
    "greater",
    "greaterEqual",
}
"""Operations whose second operand may be a Python number, for one repeated value."""


def trials(device: torch.device) -> list[Callable[[], None]]:
    """Small passes, both ways, of operations that have several kernels; for `Determinism.trial`."""

    def numbers(*shape: int) -> Tensor:
        return torch.ones(shape, device=device, requires_grad=True)

    def ids(*values: int) -> Tensor:
        return torch.tensor(values, dtype=torch.int32, device=device)

    def attention(lengths: Tensor | None) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16):
            q, k, v = (numbers(2, 128, 2, 64).bfloat16() for _ in range(3))
            y: Tensor = _attention(q, k, v, lengths, scale=1.0, causal=False)
            return y

    losses: list[Callable[[], Tensor]] = [
        lambda: attention(None),
        lambda: attention(ids(3, 0)),
        lambda: _gather(numbers(5, 3), ids(1, 1, 4), axis=0),
        lambda: _gather(numbers(5, 3), ids(1, 1), axis=1),
        lambda: _segment_sum(numbers(3, 2), ids(0, 0, 1), segments=2),
        lambda: _cumsum(numbers(2, 100), axis=1, exclusive=True, reverse=True),
        lambda: _top_k(numbers(2, 5), k=2)[0],
        lambda: _cross_entropy(numbers(3, 7), ids(0, 1, 2)),
        lambda: _prod(numbers(3, 4), axes=[1], keep_dims=False),
        lambda: _max(numbers(3, 4), axes=[1], keep_dims=False),
        lambda: _pad(numbers(3, 4), paddings=[[1, 0], [0, 1]], value=0.0),
        lambda: _tile(numbers(3, 4), reps=[2, 2]),
        lambda: torch.matmul(numbers(3, 4), numbers(4, 3)),
    ]
    return [lambda loss=loss: loss().float().sum().backward() for loss in losses]  # type: ignore[misc]
