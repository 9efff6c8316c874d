"""Sums of rows of equal index, and running sums: the same bits every time, and not a row at a time.

PyTorch's own deterministic addition of rows on a GPU (`index_put` with accumulate) adds those of one index
one after another. A masked batch has the MASK token at half of its positions, so a step waited for tens of
thousands of additions in a row. Here the rows are sorted by index and added as a tree, 64 at a time, by
products with ones: fp32 sums of at most 64 terms, 64 of those, and so on, which also rounds less.
"""

from __future__ import annotations

import os

import torch
import torch.nn.functional as F
from torch import Tensor

_EVERYWHERE = os.environ.get("REPRO_TORCH_SUMS") == "tree"

WIDTH = 64
"""Rows that one product adds."""


def by_tree(x: Tensor) -> bool:
    """Whether sums of this tensor are computed here: on a GPU. On a CPU PyTorch's own are faster."""
    return x.is_cuda or _EVERYWHERE


def _run_sums(x: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """
    Rows x [n, width] under ascending ids [n], cut into chunks of 64. First the sum from each row to the end
    of its id's run inside its chunk [chunks * 64, width]; then the sum of the run that begins each chunk,
    over all chunks that it reaches [chunks, width].
    """
    rows, width = x.shape
    chunks = max(1, -(-rows // WIDTH))
    short = chunks * WIDTH - rows
    if short > 0:  # the last id goes on, with rows of zero
        x = F.pad(x, (0, 0, 0, short))
        ids = torch.cat([ids, ids[-1:].expand(short)])
    ids = ids.view(chunks, WIDTH)
    same = (ids.unsqueeze(2) == ids.unsqueeze(1)).triu()
    within = torch.bmm(same.to(x.dtype), x.view(chunks, WIDTH, width))
    first = within[:, 0]
    if chunks > 1:
        inner, outer = _run_sums(first, ids[:, 0])
        first = _whole_runs(inner, outer, ids[:, 0], torch.arange(chunks, device=x.device))
    return within.view(chunks * WIDTH, width), first


def _whole_runs(inner: Tensor, outer: Tensor, ids: Tensor, at: Tensor) -> Tensor:
    """The sums from rows `at` to the end of their runs: inside their chunk, and of the chunks that follow."""
    last = len(outer) - 1
    following = (at // WIDTH + 1).clamp(max=last)
    goes_on = (at // WIDTH < last) & (ids[(following * WIDTH).clamp(max=len(ids) - 1)] == ids[at])
    return inner[at] + torch.where(goes_on.unsqueeze(1), outer[following], 0)


def _sum_rows(x: Tensor, ids: Tensor, segments: int) -> Tensor:
    if len(ids) == 0:
        return x.new_zeros([segments, x.shape[1]])
    order = torch.argsort(ids, stable=True)
    ids = ids[order]
    inner, outer = _run_sums(x[order], ids)
    wanted = torch.arange(segments, dtype=ids.dtype, device=ids.device)
    at = torch.searchsorted(ids, wanted).clamp(max=len(ids) - 1)
    there = (ids[at] == wanted).unsqueeze(1)
    return torch.where(there, _whole_runs(inner, outer, ids, at), 0)


@torch.library.custom_op("repro::sum_rows", mutates_args=())
def sum_rows(x: Tensor, ids: Tensor, segments: int) -> Tensor:
    """
    y[s] = the sum of the rows x[i] with ids[i] = s, fp32 [segments, width]. x: floating [n, width]; ids:
    integers [n], of which those outside of [0, segments) are left out. One operation, which a compiler leaves
    whole.
    """
    with torch.autocast(
        x.device.type, enabled=False
    ):  # the products are of fp32, whatever a caller computes in
        return _sum_rows(x.float(), ids, segments)


@sum_rows.register_fake
def _(x: Tensor, ids: Tensor, segments: int) -> Tensor:
    return x.new_empty([segments, x.shape[1]], dtype=torch.float32)


class _Rows(torch.autograd.Function):
    """Rows of a table: looked up as PyTorch does, added up by `sum_rows`."""

    @staticmethod
    def forward(ctx, x: Tensor, ids: Tensor) -> Tensor:  # type: ignore[no-untyped-def]  # noqa: ANN001
        ctx.save_for_backward(ids)
        ctx.segments, ctx.kind = x.shape[0], x.dtype
        return F.embedding(ids, x)

    @staticmethod
    def backward(ctx, dy: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def]  # noqa: ANN001
        (ids,) = ctx.saved_tensors
        rows = dy.reshape(-1, dy.shape[-1])
        return sum_rows(rows, ids.reshape(-1), ctx.segments).to(ctx.kind), None


def gather_rows(x: Tensor, ids: Tensor) -> Tensor:
    """x[ids] along the first axis. x: floating [n, ...]; ids: integers of any shape."""
    if x.dim() == 1:
        column: Tensor = gather_rows(x.unsqueeze(1), ids)
        return column.squeeze(-1)
    y: Tensor = _Rows.apply(x.reshape(x.shape[0], -1), ids)  # type: ignore[no-untyped-call]
    return y.reshape([*ids.shape, *x.shape[1:]])


class _Segments(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, ids: Tensor, segments: int) -> Tensor:  # type: ignore[no-untyped-def]  # noqa: ANN001
        ctx.save_for_backward(ids)
        ctx.kind = x.dtype
        y: Tensor = sum_rows(x, ids, segments)
        return y

    @staticmethod
    def backward(ctx, dy: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[no-untyped-def]  # noqa: ANN001
        (ids,) = ctx.saved_tensors
        return F.embedding(ids, dy).to(ctx.kind), None, None


def segment_sum(x: Tensor, ids: Tensor, segments: int) -> Tensor:
    """`sum_rows` of rows of any shape [n, ...] under ids [n] in [0, segments), with its gradient."""
    y: Tensor = _Segments.apply(x.reshape(x.shape[0], -1), ids, segments)  # type: ignore[no-untyped-call]
    return y.reshape([segments, *x.shape[1:]])


def running_sum(x: Tensor) -> Tensor:
    """
    Sums over the last axis up to and with each entry, fp32: products with a triangle of ones, 64 entries at
    a time, plus the running sum of what the chunks before hold. Entries are finite: 0 times an infinity would
    reach the others. PyTorch's own has no deterministic form on a GPU.
    """
    *shape, length = x.shape
    if length == 0:
        return x
    chunks = -(-length // WIDTH)
    with torch.autocast(x.device.type, enabled=False):
        parts = F.pad(x.float(), (0, chunks * WIDTH - length)).reshape([*shape, chunks, WIDTH])
        ones = torch.ones([WIDTH, WIDTH], device=x.device).triu()
        sums = torch.matmul(parts, ones)
        if chunks > 1:
            before = running_sum(parts.sum(-1))
            sums = sums + F.pad(before[..., :-1], (1, 0)).unsqueeze(-1)
    return sums.reshape([*shape, chunks * WIDTH])[..., :length]
