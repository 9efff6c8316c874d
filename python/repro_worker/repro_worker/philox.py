"""The project's counter-based random numbers (Philox4x32-10), drawn on a device in integer arithmetic.

Number i of a site is a pure function of the key, the site and i, the same as in the parent's `philox.ts`.
The words are int64 tensors of unsigned 32-bit values; products wrap modulo 2^64, and both halves are taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_MASK = 0xFFFFFFFF
_CHUNK = 1 << 22  # numbers drawn at a time, so that a large tensor needs little memory besides its own


def words(key: list[int], site: list[int], start: int, count: int, device: torch.device) -> Tensor:
    """Words [start, start + count) of a site; `start` is a multiple of four."""
    blocks = -(-count // 4)
    first = start // 4
    counters = torch.arange(first, first + blocks, dtype=torch.int64, device=device)
    c1, c2, c3 = ([*site, 0, 0, 0])[:3]
    x0 = counters & _MASK
    x1, x2, x3 = (torch.full_like(x0, c) for c in (c1, c2, c3))
    k0, k1 = key
    for _ in range(10):
        p0, p1 = x0 * _M0, x2 * _M1
        x0, x1, x2, x3 = (
            ((p1 >> 32) & _MASK) ^ x1 ^ k0,
            p1 & _MASK,
            ((p0 >> 32) & _MASK) ^ x3 ^ k1,
            p0 & _MASK,
        )
        k0, k1 = (k0 + _W0) & _MASK, (k1 + _W1) & _MASK
    return torch.stack([x0, x1, x2, x3], 1).reshape(-1)[:count]


def _uniform(draw: dict[str, Any], start: int, count: int, device: torch.device) -> Tensor:
    u = words(draw["key"], draw["site"], start, count, device).double() / 2**32
    bound: float = draw["bound"]
    return (2 * u - 1) * bound


def _normal(draw: dict[str, Any], start: int, count: int, device: torch.device) -> Tensor:
    """Box and Muller's transform in float64 of uniforms with 53 bits; two numbers share one block."""
    even = count + count % 2
    w = words(draw["key"], draw["site"], 2 * start, 2 * even, device).reshape(-1, 2)
    u = ((w[:, 0] >> 5) * 67108864 + (w[:, 1] >> 6)).double() / 9007199254740992
    pairs = u.reshape(-1, 2)
    radius = torch.sqrt(-2 * torch.log(1 - pairs[:, 0]))
    angle = 2 * math.pi * pairs[:, 1]
    z = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)], 1).reshape(-1)
    std: float = draw["std"]
    return z[:count] * std


def _bernoulli(draw: dict[str, Any], start: int, count: int, device: torch.device) -> Tensor:
    # Of whole numbers, w < p 2^32 and w < ceil(p 2^32) are the same; a float would be compared in fp32.
    limit = math.ceil(draw["probability"] * 2**32)
    chosen: Tensor = words(draw["key"], draw["site"], start, count, device) < limit
    return chosen


_CHUNKED: dict[str, Callable[[dict[str, Any], int, int, torch.device], Tensor]] = {
    "uniform": _uniform,
    "normal": _normal,
    "bernoulli": _bernoulli,
}


def draw_tensor(draw: dict[str, Any], shape: list[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """The tensor that a draw describes, rounded to f32, then to `dtype`; of booleans for `bernoulli`."""
    kind = draw["kind"]
    if kind == "constant":
        return torch.full(shape, draw["value"], dtype=torch.float32, device=device).to(dtype)
    if kind == "rows":
        values = torch.tensor(draw["values"], dtype=torch.float32, device=device)
        return values.repeat_interleave(math.prod(shape) // len(values)).reshape(shape).to(dtype)
    if kind == "bernoulli-parts":
        count = math.prod(shape) // len(draw["sites"])
        each = [{**draw, "kind": "bernoulli", "site": site} for site in draw["sites"]]
        return torch.cat([draw_tensor(one, [count], dtype, device) for one in each]).reshape(shape)
    flat = torch.empty(math.prod(shape), dtype=torch.bool if kind == "bernoulli" else dtype, device=device)
    for start in range(0, len(flat), _CHUNK):
        part = flat[start : start + _CHUNK]
        drawn = _CHUNKED[kind](draw, start, len(part), device)
        part.copy_(drawn if kind == "bernoulli" else drawn.float())
    return flat.reshape(shape)


def drawn(draws: list[dict[str, Any]], prefix: str, device: torch.device) -> dict[str, Tensor]:
    """The feeds under a prefix that the parent left to be drawn, by their names without it."""
    return {
        d["name"].removeprefix(prefix): draw_tensor(d["draw"], d["shape"], torch.float32, device)
        for d in draws
        if d["name"].startswith(prefix)
    }
