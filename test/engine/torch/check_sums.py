"""Checks the worker's sums against float64, entry by entry; prints what it compared. Run by sums.test.ts."""

from __future__ import annotations

import json

import torch

from repro_worker import sums
from repro_worker.settings import open_settings

ROUNDING = 2.0**-23
"""One rounding of fp32. Entries are held to 8 of them, relative to the sum of the magnitudes added."""


def rows(segments: int, count: int, kind: str) -> torch.Tensor:
    """Row ids: drawn evenly, half of them one token, or each once."""
    generator = torch.Generator().manual_seed(segments + count)
    if kind == "once":
        return torch.randperm(segments, generator=generator)[:count].int()
    ids = torch.randint(0, segments, (count,), generator=generator).int()
    if kind == "masked":
        ids[torch.rand(count, generator=generator) < 0.5] = segments - 1
    return ids


def check_rows(segments: int, count: int, width: int, kind: str, compiled: bool, dtype: torch.dtype) -> float:
    """Worst error of an entry of a look-up's gradient, over the sum of the magnitudes that it adds."""
    ids = rows(segments, count, kind)
    table = torch.randn(segments, width, dtype=dtype, requires_grad=True)
    weights = torch.randn(count, width)

    def loss(x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return (sums.gather_rows(x, ids).float() * weights).sum()

    torch.autograd.backward((torch.compile(loss, dynamic=False) if compiled else loss)(table))
    assert table.grad is not None and table.grad.dtype == dtype
    if dtype != torch.float32:
        weights = weights.to(dtype).float()
    zero = torch.zeros(segments, width, dtype=torch.float64)
    exact = zero.index_add(0, ids, weights.double())
    size = zero.index_add(0, ids, weights.double().abs())
    return float(((table.grad.double() - exact).abs() / size.clamp(min=1e-30)).max())


def main() -> None:
    hello = {"oldest": "2.6", "precision": "fp32", "device": "cpu", "threads": 2, "compile": False}
    open_settings(hello, 0, 1)
    worst: dict[str, float] = {}
    for segments, count, width, kind in [
        (1026, 9001, 24, "masked"),
        (151_670, 5000, 8, "masked"),
        (8, 4500, 16, "even"),
        (5000, 4000, 8, "once"),
        (3, 1, 4, "even"),
        (7, 64, 4, "even"),
        (7, 65, 4, "masked"),
        (2, 266_241, 2, "masked"),
    ]:
        name = f"{segments} rows, {count} look-ups, {kind}"
        worst[name] = check_rows(segments, count, width, kind, False, torch.float32)
        assert worst[name] < 8 * ROUNDING, (name, worst[name])
    worst["compiled"] = check_rows(1026, 3000, 24, "masked", True, torch.float32)
    assert worst["compiled"] < 8 * ROUNDING, worst
    # bf16 has 8 bits: one rounding of the sum, 2^-9 of it
    worst["bf16"] = check_rows(1026, 3000, 24, "masked", False, torch.bfloat16)
    assert worst["bf16"] < 2.0**-8, worst

    x = torch.randn(70, 6, requires_grad=True)
    ids = rows(9, 70, "masked")
    y = sums.segment_sum(x, ids, 9)
    (gradient,) = torch.autograd.grad((y * torch.arange(9.0).unsqueeze(1)).sum(), x)
    assert torch.equal(gradient, ids.float().unsqueeze(1).expand(70, 6))
    outside = torch.tensor([-1, 0, 9, 12], dtype=torch.int32)
    assert torch.equal(sums.sum_rows(torch.ones(4, 2), outside, 9)[:, 0], torch.eye(9)[0])
    assert torch.equal(sums.sum_rows(torch.ones(0, 2), outside[:0], 3), torch.zeros(3, 2))
    line = torch.randn(5, requires_grad=True)
    torch.autograd.backward(sums.gather_rows(line, torch.tensor([[4, 4], [0, 4]])).sum())
    assert line.grad is not None and line.grad.tolist() == [1, 0, 0, 0, 3]

    for length in (1, 63, 64, 65, 4097, 5000):
        parts = torch.randn(2, length, requires_grad=True)
        found, exact = sums.running_sum(parts), parts.detach().double().cumsum(-1)
        size = parts.detach().double().abs().cumsum(-1)
        error = float(((found.detach().double() - exact).abs() / size).max())
        assert error < 8 * ROUNDING, (length, error)
        (gradient,) = torch.autograd.grad(found.sum(), parts)
        expected = torch.arange(length, 0, -1.0).expand(2, length)
        assert torch.allclose(gradient, expected, rtol=1e-6), length
    print(json.dumps(worst))


main()
